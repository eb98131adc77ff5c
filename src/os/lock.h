// Lock: a mutual exclusion of one word, zero when free, waiting in the kernel when contended.
// Not recursive. Between threads of one process only. Never held across a system call that may
// block. States: 0 free, 1 held, 2 held and somebody may wait (U. Drepper, "Futexes Are Tricky",
// mutex 2).
#pragma once

#include "base/attributes.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct lock {
    _Atomic uint32_t word;
};

// For other locks of one word: waits while it is `word`, at most for so long, and wakes one that
// does.
COLD void lock_sleep(_Atomic uint32_t *where, uint32_t word, unsigned max_ms);
COLD void lock_wake_one(_Atomic uint32_t *where);

COLD void lock_wait(struct lock *self);
COLD void lock_wake(struct lock *self);

static inline bool lock_try(struct lock *self)
{
    uint32_t expected = 0;
    // acquire: pairs with the release in lock_give()
    return atomic_compare_exchange_strong_explicit(&self->word, &expected, 1, memory_order_acquire,
                                                   memory_order_relaxed);
}

static inline void lock_take(struct lock *self)
{
    if (UNLIKELY(!lock_try(self))) lock_wait(self);
}

static inline void lock_give(struct lock *self)
{
    // release: pairs with the acquire in lock_try() and lock_wait()
    if (UNLIKELY(atomic_exchange_explicit(&self->word, 0, memory_order_release) == 2)) {
        lock_wake(self);
    }
}
