// Locate: from any word to the live block of this process that it points at or into, in a few
// loads. For a process that stands still, or nearly so: what a stopped thread was just making or
// freeing may be found or not. resolve.h does the same for any process, and trusts nothing.
#pragma once

#include "base/attributes.h"
#include "heap/span_map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct located {
    const struct span *span;
    uint32_t index; // of the block in it
    uintptr_t start;
};

// The address that is in the word: pointers with something of their own in the bits above bit 46
// (tags, counters, the boxes of dynamic languages) are pointers still.
static ALWAYS_INLINE uintptr_t locate_address(uintptr_t word)
{
    return word & ((UINT64_C(1) << SPAN_MAP_ADDRESS_BITS) - 1);
}

// A block of whole pages.
NOINLINE bool locate_large(uintptr_t address, struct located *out);

// The block, live or not, that the address lies in, if it can have one; `span` is what
// span_map_peek() says of it. Does not say that it is live: see locate_is_live().
static ALWAYS_INLINE bool locate_in(const struct span *span, uintptr_t address, struct located *out)
{
    enum span_state state = span ? span_state(span) : SPAN_UNUSED;
    if (UNLIKELY(state < SPAN_CURRENT || state > SPAN_FULL)) return locate_large(address, out);
    // It has the slots of its own pages, and no others.
    uint32_t index = span_index(span, address);
    *out = (struct located){span, index, span_block(span, index)};
    return index < span->capacity;
}

static ALWAYS_INLINE bool locate_block(uintptr_t address, struct located *out)
{
    return locate_in(span_map_peek(address), address, out);
}

// Whether it is handed out.
static ALWAYS_INLINE bool locate_is_live(const struct located *self)
{
    if (!span_is_small(self->span)) {
        return atomic_load_explicit(&self->span->announced, memory_order_relaxed) == 1;
    }
    const struct plane_cell *cell = span_cell(self->span, self->start);
    uint64_t live = atomic_load_explicit(&cell->live, memory_order_relaxed) &
                    ~atomic_load_explicit(&cell->pending, memory_order_relaxed);
    return (live & span_bit(self->start)) != 0;
}

// Its bytes.
static ALWAYS_INLINE size_t locate_size(const struct located *self)
{
    return span_block_size(self->span);
}
