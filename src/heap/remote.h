// Remote: frees by other threads than the owner of a span.
// The freeing thread sets the block's pending bit. The first bit of a cell is announced: it sets
// the cell's bit in the span, and the first of those pushes the span on its owner's stack. The
// owner merges all of them when it next runs out of blocks. So most frees cost one atomic
// operation, never touch the block, and never wait. Every announced cell has exactly one announcer,
// and a span with pending blocks counts them as used: so no span goes away while somebody is about
// to push it.
#pragma once

#include "heap/thread_heap.h"

// `block` is live and starts a block of `span`, which is not `self`'s: marks it pending. Panics
// when it is already. `self` is the calling thread's heap, or thread_heap_none.
void remote_free(struct thread_heap *self, struct span *span, uintptr_t block);

// Takes over what others freed in spans of `self`, which is the calling thread's, or idle and
// locked.
void remote_merge(struct thread_heap *self);
