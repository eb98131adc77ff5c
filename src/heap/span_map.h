// Span map: from any address to its span, in two loads.
// A root of 2^18 places by address >> 29, each for a leaf of 512 MiB with a slot per page; leaves
// are made when the first span comes and never go.
//
// Invariants:
// - LARGE and small spans stand in the slot of each of their pages
// - DIRECT ones in those up to the first multiple of SPAN_MAP_STRIDE, then in one per stride
// - FREE ones in those of their first and last page; all other slots are empty
//
// Writers hold the page heap's lock. Readers take none: a slot they were given a block of stays
// theirs.
#pragma once

#include "base/attributes.h"
#include "heap/span.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    SPAN_MAP_LEAF_SHIFT = 29,
    SPAN_MAP_ADDRESS_BITS = 47, // what the kernel gives user space without a hint beyond
    SPAN_MAP_LEAF_SLOTS = 1 << (SPAN_MAP_LEAF_SHIFT - PAGE_SHIFT),
    SPAN_MAP_ROOT_SLOTS = 1 << (SPAN_MAP_ADDRESS_BITS - SPAN_MAP_LEAF_SHIFT),
};

#define SPAN_MAP_STRIDE ((size_t)32 << 20)

// A leaf's place for a page.
struct span_slot {
    _Atomic(struct span *) span;
};

extern _Atomic(struct span_slot *) span_map_root[SPAN_MAP_ROOT_SLOTS];

// The slot's span for an address below 2^47, or NULL. See the invariants for what that means.
static ALWAYS_INLINE struct span *span_map_peek(uintptr_t address)
{
    // acquire: pairs with the release in span_map_reserve(); free on x86-64
    struct span_slot *leaf =
        atomic_load_explicit(&span_map_root[address >> SPAN_MAP_LEAF_SHIFT], memory_order_acquire);
    if (UNLIKELY(!leaf)) return NULL;
    return atomic_load_explicit(&leaf[address >> PAGE_SHIFT & (SPAN_MAP_LEAF_SLOTS - 1)].span,
                                memory_order_acquire);
}

// Asks memory for that slot, if it has a leaf.
static ALWAYS_INLINE void span_map_prefetch(uintptr_t address)
{
    const struct span_slot *leaf =
        atomic_load_explicit(&span_map_root[address >> SPAN_MAP_LEAF_SHIFT], memory_order_acquire);
    if (LIKELY(leaf)) {
        __builtin_prefetch(&leaf[address >> PAGE_SHIFT & (SPAN_MAP_LEAF_SLOTS - 1)]);
    }
}

// The small, LARGE or DIRECT span that `address` lies in, or NULL. Any value may be asked.
struct span *span_map_find(uintptr_t address);

// The span in the first filled slot at or after `address`, or NULL. The caller holds the page
// heap's lock. To go through all of them, go on at its end.
struct span *span_map_next(uintptr_t address);

// The addresses from the first filled slot to past the last; both 0 without any.
void span_map_bounds(uintptr_t *low_out, uintptr_t *high_out);

// Makes the leaves for that range. False when there is no memory for one.
bool span_map_reserve(uintptr_t start, size_t size);

// Fill or empty slots, as the span's state wants. Its leaves are there.
void span_map_add(struct span *span);
void span_map_remove(struct span *span);
