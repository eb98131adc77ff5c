// Leak roots: everything outside the heap that may lead to its blocks: the registers of all
// threads, their stacks from the stack pointer on, thread blocks with static TLS, and whatever else
// of the process's memory holds anything: globals of every module, mappings of the program's own;
// and what the kernel keeps for it (epoll, timers). Left out: what is mete's own, the dead parts of
// stacks, and the stacks of ended threads, which libc keeps for the next: of these their thread
// block counts, and what libc allocated for their TLS is no leak.
#pragma once

#include "os/registers.h"
#include "os/stopped_threads.h"
#include "track/leak_scan.h"

struct leak_process {
    const struct stopped_threads *threads; // all others
    struct preserved_registers caller;     // the calling thread, as it left the program's code
    bool is_caller_initial;
    uintptr_t signal_stack;   // the caller's alternate one, which the kernel knows; 0: none
    bool is_caller_elsewhere; // on an alternate signal stack, which may lie within its own
    struct leak_range own;    // the module that this is part of
    size_t argument_offset;   // in libc's thread block, of what the thread was given; 0: unknown
};

// Gives the scan all roots. 0, or -errno: it could not look at all of them.
int leak_roots_scan(struct leak_scan *scan, const struct leak_process *process);
