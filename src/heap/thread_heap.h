// Thread heap: one thread's bins, and how blocks come from them and go back.
//
// A bin is the spans of one size class. It allocates from one span at a time, a few cells of it at
// once: their free blocks are in its free list. Blocks between these cells that are freed go back
// on the list, all others only have their live bit cleared and their cell marked, and are found
// again when its turn comes. So a free list holds a few cells' blocks, and every other free block's
// bytes are nobody's.
//
// Invariants:
// - bin.free != NULL implies that the bin's current span is CURRENT and busy, and that the blocks
//   start in [start, start + range), which is part of it; so does range != 0
// - every span of the heap is a bin's current one (its class's, or one that borrowed it), its
//   class's growing one, in its class's partial list, or FULL
// - only the heap's thread touches the bins; other threads push spans on `announced`
//
// Heaps are never destroyed: that of an exited thread is idle until a new thread takes it over;
// until then whoever frees one of its blocks merges that (see idle.h), and whoever needs a span may
// take one of its partial ones.
#pragma once

#include "heap/observer.h"
#include "heap/span.h"

struct bin {
    void *free;           // the next block to hand out
    uintptr_t start;      // of the first cell that the free list is made of
    uint32_t range;       // bytes to the end of the last; 0: there is none
    uint32_t block_size;  // of the current span
    uintptr_t plane_bias; // of the current span, so that the fast path need not look at it
};

// What only the slow paths of a bin need.
struct bin_reserve {
    struct span *current; // the bin's span, or NULL
    struct list partial;  // zero until first used. FIFO: spans rest until enough was freed in them
                          // to be worth a visit
    struct span *growing;
    unsigned spans;    // of this class that the heap has
    unsigned requests; // while the class is rare, pages made necessary counted in: see borrow.h
    void *withheld;    // while somebody watches: the free list, where the fast path does not see it
};

struct thread_heap {
    struct bin bins[CLASS_COUNT];
    struct bin_reserve reserves[CLASS_COUNT];
    _Alignas(CACHE_LINE) _Atomic(struct span *) announced; // stack of spans with pending frees
    _Atomic bool is_idle;                                  // its thread is gone
    unsigned announced_bytes; // freed by this heap's thread in others' spans, until told to reclaim
    unsigned fresh_pages;     // taken from the page heap untouched, since it last looked for others
    struct thread_heap *next_idle; // under idle_lock
};

// The calling thread's heap; thread_heap_none, whose bins are always empty, before it has one.
extern __thread struct thread_heap *thread_heap;
extern struct thread_heap thread_heap_none;

// Which blocks serve a request of a class.
enum block_fit {
    FIT_LARGER, // also somewhat larger ones: see borrow.h
    FIT_EXACT,  // its own only: they start at multiples of what their size is a multiple of
};

// A block of that class, live from now on, and its span. NULL without memory. `self` is the calling
// thread's, or idle and locked.
void *thread_heap_take_live(struct thread_heap *self, unsigned class, enum block_fit fit,
                            struct span **span_out);

// The block is on no list and was live until now: makes it free. Its span belongs to `self`, which
// is the calling thread's.
void thread_heap_give_block(struct thread_heap *self, struct span *span, uintptr_t block);

// The span's count reached 0 on the fast path: its block there is freed already.
NOINLINE void thread_heap_count_spent(struct thread_heap *self, struct span *span);

// Gives back the current spans that nothing lives in: a class that a program has done with keeps
// one.
void thread_heap_scavenge(struct thread_heap *self);

// Takes the class's free list away from its bin, whose span goes where its use says.
void thread_heap_drop_bin(struct thread_heap *self, unsigned class);

// As thread_heap_take_live(), of what is withheld: the common case while somebody watches.
static ALWAYS_INLINE void *thread_heap_take_withheld(struct thread_heap *self, unsigned class,
                                                     struct span **span_out)
{
    struct bin_reserve *reserve = &self->reserves[class];
    void **block = reserve->withheld;
    if (UNLIKELY(!block)) return NULL;
    struct span *span = reserve->current;
    struct plane_cell *cell = span_cell(span, (uintptr_t)block);
    uint64_t pending = atomic_load_explicit(&cell->pending, memory_order_relaxed);
    uint64_t bit = span_bit((uintptr_t)block);
    if (UNLIKELY(pending & bit)) return NULL; // the slow path says what is wrong
    reserve->withheld = *block;
    *block = NULL; // else it would lead to its neighbour
    uint64_t live = atomic_load_explicit(&cell->live, memory_order_relaxed);
    atomic_store_explicit(&cell->live, live | bit, memory_order_relaxed);
    *span_out = span;
    return block;
}

// Moves free lists where the fast path does not find them.
void thread_heap_withhold(struct thread_heap *self);

// For the modules beside this one. Finishes with the current span of a bin, whose list is used up.
void thread_heap_rest_span(struct thread_heap *self, struct span *span);

// `freed` blocks of the span have become free.
void thread_heap_lower_count(struct thread_heap *self, struct span *span, uint32_t freed);
