// Stack bounds: memory that is part of the calling thread's own stack for certain, so that it can
// be read at any time while the thread lives. Other stacks come and go (coroutines, alternate
// signal stacks): they are never within.
//
// Known without asking the kernel:
// - Threads made by libc: its thread block stands at the top of the stack, and holds where that
//   begins and how long it is: two words next to each other whose sum is where the block ends, an
//   address first. No other two are so. Should they not be found, what lies a bit below the block
//   is stack still: one is at least PTHREAD_STACK_MIN long.
// - The initial thread: from what the kernel put at the top, down as far as its limit was when we
//   first looked. The kernel keeps that range clear of mappings, and a thread of it that runs there
//   has all from its stack pointer upwards.
// From there the bounds grow downwards: a chain of frames that begins at a stack pointer below and
// arrives within, over pages that can all be read, is one stack. No /proc is needed, no descriptor,
// and guard pages that /proc does not show (MADV_GUARD_INSTALL) are seen.
//
// Invariant: low <= high, both multiples of the word size. Belongs to one thread.
#pragma once

#include "base/attributes.h"

#include <stdbool.h>
#include <stdint.h>

struct stack_bounds {
    uintptr_t low; // low == high: nothing is certain
    uintptr_t high;
};

// Those of the calling thread.
void stack_bounds_init(struct stack_bounds *self);

static ALWAYS_INLINE bool stack_bounds_hold(const struct stack_bounds *self, uintptr_t address)
{
    return address - self->low < self->high - self->low;
}

// The calling thread's frames lead from `sp` into the bounds: makes them hold it, and whatever lies
// between. False when there is a hole between: it is another stack.
bool stack_bounds_lower(struct stack_bounds *self, uintptr_t sp);

// All of the stack that libc's thread block at `block` stands on, from above its guard to its end,
// with the block and the thread's static TLS. False: it stands on none (the initial thread's), or
// libc is not as we know it. `words` are the first
// STACK_BOUNDS_WORDS of the block, wherever they were read from.
// *has_guard_out: it has guard pages, as those have that libc made itself.
enum { STACK_BOUNDS_WORDS = 256 };
bool stack_bounds_of_block(uintptr_t block, const uintptr_t *words, struct stack_bounds *bounds_out,
                           bool *has_guard_out);
