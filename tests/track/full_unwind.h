// Full unwind: what a capture must be equal to: libgcc's unwinding of the whole stack, frame by
// frame, and a node for each frame that only its address and its parent's node make.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

#include "track/capture.h"

// Whose frames are taken off: a function that calls must not be left out of its own stack.
#define NO_TAIL_CALL __asm__ volatile("" ::: "memory")

// Takes a capture and compares it with the full unwind. `end` is why it must end,
// unless it is too deep. Says on standard error what differs, and dies.
void expect_full_stack(struct capture *capture, enum record_stack_end end);

// The same, where the full unwind may go on past where the capture ends.
void expect_inner_stack(struct capture *capture, enum record_stack_end end);

#ifdef __cplusplus
}
#endif
