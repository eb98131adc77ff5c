#include "track/held_lock.h"

#include "os/lock.h"

#include <stddef.h>

enum {
    SPINS_MAX = 100, // as in os/lock.c
    WAIT_MS = 20,    // at most, in the kernel
};

__thread uint32_t held_lock_id;

uint32_t held_lock_find_id(void)
{
    static _Atomic uint32_t last;
    // 2^31 threads are more than a process makes.
    held_lock_id = (atomic_fetch_add(&last, 1) + 1) & ~HELD_LOCK_WAITED;
    return held_lock_id;
}

// True when it is taken.
static bool try_as_waiter(struct held_lock *self, uint32_t wanted)
{
    uint32_t expected = 0;
    // acquire: pairs with the release in held_lock_give()
    return atomic_compare_exchange_strong_explicit(&self->word, &expected, wanted,
                                                   memory_order_acquire, memory_order_relaxed);
}

void held_lock_wait(struct held_lock *self)
{
    const uint32_t id = held_lock_self();
    for (int i = 0; i < SPINS_MAX; i++) {
        if (try_as_waiter(self, id)) return;
        __builtin_ia32_pause();
    }
    // Others may wait, too: whoever has waited says so.
    while (!try_as_waiter(self, id | HELD_LOCK_WAITED)) {
        uint32_t word = atomic_load_explicit(&self->word, memory_order_relaxed);
        const uint32_t waited = word | HELD_LOCK_WAITED;
        if (word == 0) continue;
        bool is_said = word == waited ||
                       atomic_compare_exchange_strong_explicit(
                           &self->word, &word, waited, memory_order_relaxed, memory_order_relaxed);
        if (is_said) lock_sleep(&self->word, waited, WAIT_MS);
    }
}

void held_lock_wake(struct held_lock *self)
{
    lock_wake_one(&self->word);
}

void held_lock_abandon(struct held_lock *self)
{
    uint32_t word = atomic_load_explicit(&self->word, memory_order_relaxed);
    if ((word & ~HELD_LOCK_WAITED) == held_lock_self()) held_lock_give(self);
}
