#include "track/held_lock.h"

#include "os/thread.h"

__thread char held_lock_thread;

void held_lock_abandon(struct held_lock *self)
{
    const void *holder = atomic_load_explicit(&self->holder, memory_order_relaxed);
    // Left just before it could say so: when it is alone, nobody else can have it.
    bool is_held =
        thread_is_alone() && atomic_load_explicit(&self->lock.word, memory_order_relaxed) != 0;
    if (holder == &held_lock_thread || is_held) held_lock_give(self);
}
