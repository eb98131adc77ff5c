#include "os/lock.h"

#include "os/syscall.h"

#include <linux/futex.h>

// Sections under our locks are some hundred instructions long: a short spin usually suffices
// (guess).
enum { SPINS_MAX = 100 };

void lock_wait(struct lock *self)
{
    for (int i = 0; i < SPINS_MAX; i++) {
        if (atomic_load_explicit(&self->word, memory_order_relaxed) == 0 && lock_try(self)) return;
        __builtin_ia32_pause();
    }
    // acquire: pairs with the release in lock_give()
    while (atomic_exchange_explicit(&self->word, 2, memory_order_acquire) != 0) {
        (void)syscall_4(SYS_futex, (long)&self->word, FUTEX_WAIT_PRIVATE, 2, 0); // woken or changed
    }
}

void lock_wake(struct lock *self)
{
    (void)syscall_4(SYS_futex, (long)&self->word, FUTEX_WAKE_PRIVATE, 1, 0); // nobody there: fine
}
