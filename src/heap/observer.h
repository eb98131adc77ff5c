// Observer: the one upward call of the heap. Whoever watches registers a table; the heap then calls
// it for every block, after an allocation and before a free, and keeps a note per block for it.
// Asleep (no table) this costs nothing: while somebody watches, free lists and owners are kept
// where the fast paths do not find them, so that every call takes the slow path, which asks here.
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct span; // span.h

struct heap_observer {
    // A block was made for `size` requested bytes. Writes its note, note_block(), and returns the
    // block, which is then handed out: so that the caller of malloc is the caller of this one too,
    // where a compiler makes the call a jump. Called in the allocating thread without locks; may
    // allocate nothing from the heap.
    void *(*allocated)(struct span *span, void *block, size_t size);
    // It is about to be freed by this thread. `size` is the requested one, `site` the note's (0 for
    // blocks from before the observation). The heap has checked that it is live.
    void (*freeing)(void *block, uint32_t site, size_t size, size_t block_size);
    // The second half of a realloc: the block of `old_size` requested bytes, whose freeing() this
    // thread was just told of, is now this one. Otherwise as allocated().
    void *(*resized)(struct span *span, void *block, size_t old_size, size_t size);
    // The realloc failed: the block lives on as freeing(), just before, described it.
    void (*kept)(void *block, uint32_t site, size_t size, size_t block_size);
    // The calling thread is about to end; what it still allocates and frees is told all the same.
    // May be NULL.
    void (*thread_gone)(void);
    // Blocks of at least so many bytes, that no alignment was asked for, get room for one byte
    // more: a pointer to their end, as buffers and vectors have, is then none to the next block. 0:
    // none do.
    size_t apart_from;
    // Pages were taken for small blocks, and were given back. May be NULL; must not call the heap.
    void (*span_made)(uintptr_t base, size_t size);
    void (*span_gone)(uintptr_t base, size_t size);
};

// Registers the table, which must stay valid for good; NULL ends the observation. Exact from here
// on for the calling thread, and for others once they have used up the page of free blocks that
// each class of theirs was handed before: observe before threads start to miss nothing.
void heap_observe(const struct heap_observer *observer);

extern _Atomic(const struct heap_observer *) heap_observer_now;

// Who watches now, or NULL.
static inline const struct heap_observer *heap_observed_by(void)
{
    // acquire: pairs with the release in heap_observe(): the table's contents
    return atomic_load_explicit(&heap_observer_now, memory_order_acquire);
}
