#include "os/lock.h"

#include "os/syscall.h"

#include <linux/futex.h>
#include <time.h>

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
    lock_wake_one(&self->word);
}

void lock_sleep(_Atomic uint32_t *where, uint32_t word, unsigned max_ms)
{
    const struct timespec span = {.tv_sec = max_ms / 1000, .tv_nsec = max_ms % 1000 * 1000000L};
    (void)syscall_4(SYS_futex, (long)where, FUTEX_WAIT_PRIVATE, word, (long)&span);
}

void lock_wake_one(_Atomic uint32_t *where)
{
    (void)syscall_4(SYS_futex, (long)where, FUTEX_WAKE_PRIVATE, 1, 0); // nobody there: fine
}
