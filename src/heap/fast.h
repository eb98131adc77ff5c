// Fast: the common case of allocation and free, for inlining into malloc and free.
// Straight lines with one rarely taken branch each; everything else is heap_alloc_slow() and
// heap_free_slow(). A thread without a heap finds empty bins and no span that is its own.
#pragma once

#include "heap/heap.h"
#include "heap/span_map.h"
#include "heap/thread_heap.h"

void *heap_alloc_slow(size_t size);
void heap_free_slow(void *block);

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
    struct bin *bin = &thread_heap->bins[class];
    void **block = bin->free;
    if (UNLIKELY(!block)) return heap_alloc_slow(size);
    bin->free = *block;
    uintptr_t address = (uintptr_t)block;
    struct plane_cell *cell =
        (struct plane_cell *)(bin->plane_bias + (address >> 10) * sizeof *cell);
    uint64_t live = atomic_load_explicit(&cell->live, memory_order_relaxed);
    atomic_store_explicit(&cell->live, live | span_bit(address), memory_order_relaxed);
    return block;
}

// heap_free().
static ALWAYS_INLINE void heap_free_fast(void *pointer)
{
    uintptr_t address = (uintptr_t)pointer;
    // Misaligned, or not below 2^47: either leaves bits on top when rotated.
    uintptr_t rotated = address >> GRANULE_SHIFT | address << (64 - GRANULE_SHIFT);
    if (UNLIKELY(rotated >> (SPAN_MAP_ADDRESS_BITS - GRANULE_SHIFT))) {
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
    struct plane_cell *cell = span_cell(span, address);
    uint64_t live = atomic_load_explicit(&cell->live, memory_order_relaxed);
    uint64_t pending = atomic_load_explicit(&cell->pending, memory_order_relaxed);
    uint64_t bit = span_bit(address);
    if (UNLIKELY(!(live & ~pending & bit))) {
        heap_free_slow(pointer); // no live block starts here: it says what is wrong
        return;
    }
    atomic_store_explicit(&cell->live, live & ~bit, memory_order_relaxed);
    struct bin *bin = &self->bins[span->class];
    if (LIKELY(address - bin->start < bin->range)) {
        *(void **)pointer = bin->free;
        bin->free = pointer;
        return;
    }
    if (UNLIKELY(--span->count == 0)) thread_heap_count_spent(self, span);
}
