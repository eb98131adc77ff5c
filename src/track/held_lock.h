// Held lock: a lock that knows who has it, so that a thread that was taken out of what it did
// (siglongjmp out of a handler) can give back what it held, also while other threads run. Zero when
// free; else the number of the thread that has it (of ours: what shares its memory by vfork has the
// same, and no two threads ever have), and a bit when somebody may wait: so there is no moment in
// which it is taken and nobody knows by whom. Who waits looks again from time to time: a thread may
// have been taken out just before it would have woken others. Never held across anything that may
// wait for another thread or run the program's code.
#pragma once

#include "base/attributes.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define HELD_LOCK_WAITED (UINT32_C(1) << 31)

struct held_lock {
    _Atomic uint32_t word;
};

extern __thread uint32_t held_lock_id; // the calling thread's number; 0: nobody has asked yet
COLD uint32_t held_lock_find_id(void);
COLD void held_lock_wait(struct held_lock *self);
COLD void held_lock_wake(struct held_lock *self);

static ALWAYS_INLINE uint32_t held_lock_self(void)
{
    return LIKELY(held_lock_id) ? held_lock_id : held_lock_find_id();
}

static inline bool held_lock_try(struct held_lock *self)
{
    uint32_t expected = 0;
    // acquire: pairs with the release in held_lock_give()
    return atomic_compare_exchange_strong_explicit(&self->word, &expected, held_lock_self(),
                                                   memory_order_acquire, memory_order_relaxed);
}

static inline void held_lock_take(struct held_lock *self)
{
    if (UNLIKELY(!held_lock_try(self))) held_lock_wait(self);
}

static inline void held_lock_give(struct held_lock *self)
{
    // release: pairs with the acquires in held_lock_try() and held_lock_wait()
    uint32_t word = atomic_exchange_explicit(&self->word, 0, memory_order_release);
    if (UNLIKELY(word & HELD_LOCK_WAITED)) held_lock_wake(self);
}

// Whether anybody has it.
static inline bool held_lock_is_taken(const struct held_lock *self)
{
    return atomic_load_explicit(&self->word, memory_order_relaxed) != 0;
}

// The calling thread has left for good whatever it did: gives the lock back if it has it.
void held_lock_abandon(struct held_lock *self);

// In a forked child, which is alone: nobody has it.
static inline void held_lock_reset(struct held_lock *self)
{
    atomic_store_explicit(&self->word, 0, memory_order_relaxed);
}
