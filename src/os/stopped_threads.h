// Stopped threads: every thread of this process but the calling one, held still so that what they
// hold in registers and on their stacks can be looked at; then they go on as if nothing had been.
//
// A short-lived task that shares our memory (a child by clone() that no wait() of the program's
// sees) seizes them with ptrace: that works whatever signals they block, and takes nothing on their
// stacks. Where ptrace is refused (a debugger has them, a sandbox), they are parked in a handler of
// a signal that libc lets nobody block: parked_threads.h.
//
// The caller has all its signals blocked (see own_stack.h), and does nothing meanwhile that waits
// for another thread. One at a time.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STOPPED_WORDS_MAX = 2048 }; // a thread's registers with all extensions: below 16 KiB

struct stopped_thread {
    int tid;
    bool is_gone;    // it had ended before it could be stopped
    bool is_initial; // of the process
    bool is_let;     // stopped_threads.c's: on its way out of code to be avoided
    uintptr_t pc;
    uintptr_t sp;
    uintptr_t block;   // libc's thread block (the FS register)
    int signal;        // to be delivered when it goes on; 0: none
    size_t first_word; // of its registers
    size_t word_count;
    _Atomic uint32_t parking; // parked_threads.c's
};

struct stopped_threads {
    struct stopped_thread *threads;
    size_t count;
    size_t capacity;
    uint64_t *words; // the registers of all, general and vector ones
    size_t word_count;
    size_t word_capacity;
    bool is_parked; // in handlers, and not seized
    void *memory;   // all of it
    size_t memory_size;
};

enum { STOPPING_WAITERS_MAX = 64 };

// Threads that stand between these addresses, in code that must not be interrupted, are let go on
// for a while first: but not those that say that they wait there.
struct stopping_options {
    uintptr_t avoid_start;
    uintptr_t avoid_end;
    const _Atomic uint32_t
        *waiters;    // STOPPING_WAITERS_MAX ids of threads, or 0; NULL: there are none
    bool parks_only; // do not try ptrace
};

static inline bool stopping_avoids(const struct stopping_options *self, int tid, uintptr_t pc)
{
    if (pc - self->avoid_start >= self->avoid_end - self->avoid_start) return false;
    for (size_t i = 0; self->waiters && i < STOPPING_WAITERS_MAX; i++) {
        if (self->waiters[i] == (uint32_t)tid) return false;
    }
    return true;
}

// NULL: it is none of them. The newest are looked at first.
static inline struct stopped_thread *stopped_threads_find(const struct stopped_threads *self,
                                                          int tid)
{
    for (size_t i = self->count; i-- > 0;) {
        if (self->threads[i].tid == tid) return &self->threads[i];
    }
    return NULL;
}

// 0, and threads_resume() follows; or -errno, and they run on.
int threads_stop(struct stopped_threads *self, const struct stopping_options *options);

void threads_resume(struct stopped_threads *self);

// Minor page faults of the tasks that have done that so far: they are children that were waited
// for, and the kernel adds theirs to the process's.
uint64_t threads_task_faults(void);
