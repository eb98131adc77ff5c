// Fast: the common case of allocation and free, for inlining into malloc and free.
// Straight lines with one rarely taken branch each; everything else is heap_alloc_slow() and
// heap_free_slow(). A thread without a heap finds empty bins and no span that is its own.
#pragma once

#include "heap/heap.h"
#include "heap/misuse.h"
#include "heap/span_map.h"
#include "heap/thread_heap.h"

void *heap_alloc_slow(size_t size);
void heap_free_slow(void *block);

// The bit index in its cell of an address, or of what is left of it after a shift by GRANULE_SHIFT.
#define FAST_BIT(granule) (UINT64_C(1) << ((granule)&63))

// Takes a block off the class's free list and makes it live. NULL when the list is empty.
static ALWAYS_INLINE void *heap_take_fast(unsigned class)
{
    struct bin *bin = &thread_heap->bins[class];
    void **block = bin->free;
    if (UNLIKELY(!block)) return NULL;
    bin->free = *block;
    uintptr_t granule = (uintptr_t)block >> GRANULE_SHIFT;
    struct plane_cell *cell =
        (struct plane_cell *)(bin->plane_bias + (granule >> 6) * sizeof *cell);
    uint64_t live = atomic_load_explicit(&cell->live, memory_order_relaxed);
    uint64_t pending = atomic_load_explicit(&cell->pending, memory_order_relaxed);
    // Another thread freed it at the same time as this one did.
    if (UNLIKELY(pending >> (granule & 63) & 1)) misuse_panic("free", block);
    atomic_store_explicit(&cell->live, live | FAST_BIT(granule), memory_order_relaxed);
    return block;
}

// heap_alloc().
static ALWAYS_INLINE void *heap_alloc_fast(size_t size)
{
    unsigned class;
    if (LIKELY(size <= TINY_SIZE_MAX)) {
        class = size_class_of_tiny(size);
    } else if (LIKELY(size <= SMALL_SIZE_MAX)) {
        class = size_class_of_medium(size);
    } else {
        return heap_alloc_slow(size);
    }
    void *block = heap_take_fast(class);
    return LIKELY(block) ? block : heap_alloc_slow(size);
}

// heap_free().
static ALWAYS_INLINE void heap_free_fast(void *pointer)
{
    uintptr_t address = (uintptr_t)pointer;
    // Misaligned, or not below 2^47: either leaves bits on top when rotated.
    uintptr_t granule = address >> GRANULE_SHIFT | address << (64 - GRANULE_SHIFT);
    if (UNLIKELY(granule >> (SPAN_MAP_ADDRESS_BITS - GRANULE_SHIFT))) {
        heap_free_slow(pointer);
        return;
    }
    struct span *span = span_map_peek(address);
    struct thread_heap *self = thread_heap;
    if (UNLIKELY(!span) ||
        UNLIKELY(atomic_load_explicit(&span->fast_owner, memory_order_relaxed) != self)) {
        heap_free_slow(pointer);
        return;
    }
    struct plane_cell *cell =
        (struct plane_cell *)(span->plane_bias + (granule >> 6) * sizeof *cell);
    uint64_t live = atomic_load_explicit(&cell->live, memory_order_relaxed);
    uint64_t pending = atomic_load_explicit(&cell->pending, memory_order_relaxed);
    if (UNLIKELY(!((live & ~pending) >> (granule & 63) & 1))) {
        heap_free_slow(pointer); // no live block starts here: it says what is wrong
        return;
    }
    atomic_store_explicit(&cell->live, live & ~FAST_BIT(granule), memory_order_relaxed);
    struct bin *bin = span->bin;
    if (LIKELY(address - bin->start < bin->range)) {
        *(void **)pointer = bin->free;
        bin->free = pointer;
        return;
    }
    span->freed_cells |= UINT64_C(1) << (granule >> 6 & 63); // span_cell_mark(address)
    if (UNLIKELY(--span->count == 0)) thread_heap_count_spent(self, span);
}
