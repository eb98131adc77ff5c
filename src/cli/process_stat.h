// Process stat: numbers that the kernel tells of a process. Belongs to the command line.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum process_stat {
    PROCESS_CHILDREN_FAULTS = 11, // minor page faults of the children that it waited for
    PROCESS_START = 22,           // in ticks since the machine started
};

// Whether it has been stopped, and not continued since.
bool process_is_stopped(uint32_t pid);

// False when there is no process of that pid.
bool process_stat_read(uint32_t pid, enum process_stat which, unsigned long long *number_out);
