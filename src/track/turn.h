// Turn: whose turn it is to be counted. Between begin and end the thread is busy, and what a
// handler of its own allocates meanwhile is not counted in its rows. The first turn of a forked
// child begins its recording. Called by whoever counts; any thread, also in signal handlers.
#pragma once

#include "base/attributes.h"
#include "track/birthmark.h"
#include "track/course.h"
#include "track/ledger_thread.h"

#include <stdbool.h>
#include <stdint.h>

struct turn_thread {
    struct ledger_thread *self; // NULL: it has not been here yet, or shares
    uintptr_t busy_at;          // the stack pointer of who is counting; 0: nobody
    bool has_left;              // its end has been: what it still does is shared
    bool is_deaf;               // what it allocates now is not the program's doing
};
extern __thread struct turn_thread turn_thread;

struct turn {
    struct ledger_thread *thread; // NULL: whom all share, and we hold the recorder's lock
    bool is_lost;
    bool is_within; // a handler's, within another turn of the same thread
};

NOINLINE struct turn turn_begin_slow(uintptr_t here);
NOINLINE void turn_end_slow(const struct turn *turn);

// The common case: a thread that has been here before. NULL: another one.
static ALWAYS_INLINE struct ledger_thread *turn_begin(void)
{
    if (UNLIKELY(turn_thread.busy_at)) return NULL;
    turn_thread.busy_at = (uintptr_t)__builtin_frame_address(0);
    // A handler of this thread sees us busy. One that came before, and forked, has left us, in the
    // child, what we find now.
    atomic_signal_fence(memory_order_seq_cst);
    struct ledger_thread *thread = turn_thread.self;
    if (LIKELY(thread && birthmark_is_set())) return thread;
    turn_thread.busy_at = 0;
    return NULL;
}

static ALWAYS_INLINE void turn_end(void)
{
    atomic_signal_fence(memory_order_seq_cst);
    turn_thread.busy_at = 0;
}

// Within another turn a clock of the program's own, which may allocate, is not asked.
static inline uint64_t turn_now(const struct turn *turn)
{
    if (turn->is_within) return atomic_load_explicit(&course.now_ms, memory_order_relaxed);
    return course_now();
}

// Where a turn of the calling thread was left for good (siglongjmp out of a handler), it is over:
// its locks are free again.
COLD void turn_abandon(void);
void turn_abandon_if_left(void);

// The calling thread has a place of its own from now on, if there is room. NULL: it shares. Within
// a turn.
COLD struct ledger_thread *turn_enter_thread(void);

// What the thread that forked knew of its parent's recording. It is about to end.
void turn_forget_parent(void);
void turn_thread_gone(void);
