// Recording facts: the little that `mete run` must know of a recording to name and sort it. Belongs
// to the command line.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct recording_facts {
    bool is_recording; // it begins as one
    bool has_process;  // what follows is known
    char program[128]; // its name as it was started, fit to be part of a file's name; may be empty
    uint32_t state;    // enum record_state
    uint32_t pid;
    uint32_t image;
    char host[65]; // cut where it is longer, as none is on Linux
    uint32_t parent_pid;
    uint32_t execs;    // of children that had no recording before
    uint64_t begin_ms; // since 1970
    uint64_t begin_monotonic_ms;
    uint64_t run; // as in the recording
    uint32_t run_pid;
    uint64_t duration_ms; // so far
    uint64_t peak_bytes;
    uint64_t allocations;
    uint32_t leak_state; // enum record_leak_state
    uint64_t leak_faults;
    uint64_t lost_blocks;
    uint64_t lost_bytes;
    char leak_reason[96];       // of RECORD_LEAKS_REFUSED; cut where it is longer
    uint32_t inherits_from_pid; // the forked parent whose blocks peak and allocations contain, or 0
};

// Of a regular file that is open for reading.
struct recording_facts recording_facts_read(int fd);

// The path of the program that the recording at `path` is of. False when that cannot be read, or is
// longer.
bool recording_facts_program(const char *path, char *program, size_t size);

// Takes out of the facts of a forked child what its parent had allocated; of the recording at
// `path`, which is read in full. False when it cannot be.
bool recording_facts_disinherit(struct recording_facts *self, const char *path);
