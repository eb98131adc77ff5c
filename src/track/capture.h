// Capture: the calling thread's call stack, taken fast because the last one is still known.
//
// A walk begins at the true stack pointer and goes up by rules. When it arrives at a frame of the
// last capture (same slot, same return address, same base pointer where that matters), and the
// slots of all frames further out still hold what they held, the rest is what it was: where a frame
// is follows from the return address, the CFA and the base pointer of the one inside it. Slots are
// looked at only on the thread's own stack (os/stack_bounds.h); on others each page is asked for
// before it is read, and nothing is taken over.
//
// Frames stand outermost first: frames[0] up to frames[depth - 1], which is the call of the
// allocation function. What lies further in is mete's own: walked through, and not kept. A stack
// deeper than RECORD_STACK_MAX keeps its innermost frames.
//
// For each capture:
//     capture_take(self);
//     for (i = self->unchanged; i < self->depth; i++) self->nodes[i] = …;
//     capture_keep(self);
// Before capture_keep() nothing is taken for known, so that whoever leaves in between (siglongjmp
// out of a handler) leaves nothing half done behind.
//
// One per thread, in memory of the caller's. Async-signal-safe, but not re-entrant. Never
// allocates, takes no lock, does not touch errno.
#pragma once

#include "os/code.h"
#include "os/registers.h"
#include "os/stack_bounds.h"
#include "record/tables.h"

#include <stdbool.h>
#include <stdint.h>

enum { CAPTURE_FRAMES_MAX = RECORD_STACK_MAX };

struct capture_frame {
    uintptr_t slot;    // where on the stack its return address is
    uintptr_t address; // the return address
};

// A word other than a return address that some frame's place depends on: a saved base pointer.
struct capture_word {
    uintptr_t address;
    uintptr_t value;
    uint32_t frame; // frames further in than this one depend on it
};

struct capture {
    uint32_t depth;
    uint32_t unchanged; // of them, outermost ones whose nodes are those of the last capture
    enum record_stack_end end;

    // --- the rest is the module's own, but for `frames` and `nodes`
    uint32_t kept; // 0, or the last capture's depth, whose nodes are known
    uint32_t word_count;
    bool is_known;       // the last capture's stack is within the bounds
    uint32_t generation; // of the rule table; 0: never used
    struct stack_bounds bounds;
    struct code_module recent;
    struct capture_frame frames[CAPTURE_FRAMES_MAX];
    uintptr_t bps[CAPTURE_FRAMES_MAX];    // the base pointer after the return
    uint8_t needs_bp[CAPTURE_FRAMES_MAX]; // whether frames further out depend on that
    uint32_t nodes[CAPTURE_FRAMES_MAX];   // the caller's
    struct capture_word words[CAPTURE_FRAMES_MAX];
};

// In the thread that it is for, before its first capture.
void capture_init(struct capture *self);

// The stack from the caller's frame on; or from where those registers are.
void capture_take(struct capture *self);
void capture_take_from(struct capture *self, const struct registers *from);

static inline void capture_keep(struct capture *self)
{
    __atomic_signal_fence(__ATOMIC_RELEASE); // the nodes are written before a handler sees this
    self->kept = self->depth;
}
