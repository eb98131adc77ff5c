// Idle: where threads get their heaps from and leave them.
// A heap without a thread keeps its spans and waits for the next thread. Whoever holds idle_lock
// may act for idle heaps; nobody else touches their bins. Thread-safe.
#pragma once

#include "heap/thread_heap.h"

// The calling thread's own heap, made or adopted if it has none yet. NULL without memory.
struct thread_heap *idle_get_heap(void);

// Whether the calling thread has left its heap, for good: it is ending, and only destructors of its
// thread-specific values still run.
bool idle_has_left(void);

// A live block for such a thread, from some idle heap. NULL without memory.
void *idle_take_block(unsigned class, enum block_fit fit, struct span **span_out);

// A partly used span of an idle heap, made busy, now of `self`; NULL when none is found soon.
struct span *idle_adopt_span(struct thread_heap *self, unsigned class);

// Merges what was announced to a heap if it is idle: then it is nobody's job but the announcer's.
void idle_merge(struct thread_heap *owner);

// For fork. In the child, heaps of threads that are gone stay theirs for good: they may have been
// in the midst of a change. Their blocks can be freed, but the memory is not used again.
void idle_lock(void);
void idle_unlock(void);
