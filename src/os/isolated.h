// Isolated: a function run in a process of its own, because it may crash, hang or eat memory; what
// it writes comes back while it runs. The process has a copy of ours as it was, dumps no core, and
// ends with us. For programs of ours only, never within an observed process.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Runs in the new process and writes to `fd`; 0 when all is well.
typedef int (*isolated_run_function)(void *context, int fd);

// Takes bytes as they come. 0, or -errno to end the process.
typedef int (*isolated_take_function)(void *context, const void *bytes, size_t size);

struct isolated_task {
    isolated_run_function run;
    void *run_context;
    isolated_take_function take;
    void *take_context;
    int64_t milliseconds_max;
    uint64_t memory_bytes_max; // of address space; 0: any (sanitizers need it by the terabyte)
};

enum isolated_end {
    ISOLATED_DONE,    // `run` returned 0
    ISOLATED_FAILED,  // it returned something else
    ISOLATED_CRASHED, // a signal
    ISOLATED_LATE,    // ended by us, past its time
};

// 0; what pipe() or fork() said; what `take` said.
int isolated_run(const struct isolated_task *task, enum isolated_end *end_out);
