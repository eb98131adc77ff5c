// Parked threads: threads of this process held still in the handler of a signal. It is one that
// libc keeps for itself and lets nobody block; its handler is put back before the threads go on.
// System calls that a signal interrupts may end with EINTR (signal(7)); all else is as if nothing
// had been. For stopped_threads.c, which prefers another way.
#pragma once

#include "os/stopped_threads.h"

// 0, or -errno and they run on: -EBUSY for one that blocks the signal all the same, or waits for a
// device.
int threads_park(struct stopped_threads *self, const struct stopping_options *options);
void threads_unpark(struct stopped_threads *self);
