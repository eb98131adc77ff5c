// Held lock: a lock that knows who has it, so that a thread that was taken out of what it did
// (siglongjmp out of a handler) can give back what it held, also while other threads run. Zero when
// free. Never held across anything that may wait for another thread or run the program's code.
#pragma once

#include "os/lock.h"

#include <stdbool.h>
#include <stddef.h>

struct held_lock {
    struct lock lock;
    _Atomic(const void *) holder; // the address of his held_lock_thread, once he has it
};
extern __thread char held_lock_thread;

static inline void held_lock_take(struct held_lock *self)
{
    lock_take(&self->lock);
    atomic_store_explicit(&self->holder, &held_lock_thread, memory_order_relaxed);
}

static inline bool held_lock_try(struct held_lock *self)
{
    if (!lock_try(&self->lock)) return false;
    atomic_store_explicit(&self->holder, &held_lock_thread, memory_order_relaxed);
    return true;
}

static inline void held_lock_give(struct held_lock *self)
{
    atomic_store_explicit(&self->holder, NULL, memory_order_relaxed);
    lock_give(&self->lock);
}

// The calling thread has left for good whatever it did: gives the lock back if it has it.
void held_lock_abandon(struct held_lock *self);

// In a forked child, which is alone: nobody has it.
static inline void held_lock_reset(struct held_lock *self)
{
    atomic_store_explicit(&self->holder, NULL, memory_order_relaxed);
    self->lock = (struct lock){0};
}
