// Look: whether somebody of this thread who was counting still is, or was left for good.
//
// A thread is busy while it counts. Who comes then is a handler that interrupted it, or a function
// of the program's in place of a libc one that the recorder called (a clock that allocates): the
// busy one goes on later. Or siglongjmp went past it, and it never does. The stack tells: a signal
// frame or frames of our own stand between only in the first two cases.
//
// One per thread, zero at first. Async-signal-safe.
#pragma once

#include "track/capture.h"

#include <stdbool.h>
#include <stdint.h>

struct look {
    bool is_ready;        // `capture` has been initialized
    uintptr_t running_at; // the stack pointer of who looks just now: a handler that comes meanwhile
                          // may not look too; 0: nobody
    struct capture capture;
};

// Nothing is known of what came before.
void look_forget(struct look *self);

// `busy_at`: the stack pointer of who was counting. False when in doubt.
bool look_is_abandoned(struct look *self, uintptr_t busy_at);
