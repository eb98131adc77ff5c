// Successors: what the processes of a run went on as by exec, where that is some other program than
// those that record: seen by whoever waits for the run, in the moment in which a recording is let
// go, and at the end of the run. What came and went too fast is not known; what is known is true.
// Belongs to the command line.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { SUCCESSORS_MAX = 64, SUCCESSOR_PATH_SIZE = 512 };

struct successor {
    pid_t pid;
    unsigned image;                    // after the recording of that one
    char program[SUCCESSOR_PATH_SIZE]; // its path
    bool has_settings;                 // METE and our object stand in its environment
};

// The newest; zero at the beginning.
struct successors {
    struct successor all[SUCCESSORS_MAX];
    size_t next;
};

// What a process is now. False when there is none of that pid, it is none that this run can have
// started, it began after `begin_max_ms` (since 1970), or it is closed to us.
bool successor_look(pid_t pid, uint64_t begin_max_ms, struct successor *successor_out);

// Notes what the process is that let go of the recording of that image, unless that is because it
// has ended.
void successors_note(struct successors *self, pid_t pid, unsigned image);

// What was noted then, or NULL.
const struct successor *successors_find(const struct successors *self, pid_t pid, unsigned image);
