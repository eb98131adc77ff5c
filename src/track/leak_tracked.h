// Leak tracked: the memory that the program has told of, as a leak scan sees it: in address order,
// with marks. One range may lie in another, or in a block of the heap: what leads into it leads to
// all of these, and what it holds counts when something leads to it, not to them.
// Belongs to the thread that scans; nobody tracks meanwhile.
#pragma once

#include "base/attributes.h"
#include "track/leak_marks.h"
#include "track/leak_range.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct leak_tracked {
    struct leak_range *all; // by start: no two are the same
    // By range: the index plus one of the last before it that reaches past its start; 0: none. All
    // that hold an address are on the way up from the last that starts at or before it.
    uint32_t *outer;
    struct leak_cell *cells; // the range at `index` has bit index % 64 of cells[index / 64]
    bool *is_shared;         // it may lie in memory that others write, too
    size_t count;
    size_t capacity;
    size_t memory_size;
};

// False without memory; then nothing is to be undone. Without any ranges it takes none.
bool leak_tracked_begin(struct leak_tracked *self);
void leak_tracked_end(struct leak_tracked *self);

// The index plus one of the last that starts at or before the address; 0: none.
size_t leak_tracked_before(const struct leak_tracked *self, uintptr_t address);

// Whether one reaches into [start, end).
bool leak_tracked_touches(const struct leak_tracked *self, uintptr_t start, uintptr_t end);

// A range's handle stands for it where the start of a block stands for the block: odd, as no block
// starts.
static inline uintptr_t leak_tracked_handle(size_t index)
{
    return (uintptr_t)index << 1 | 1;
}

static ALWAYS_INLINE bool leak_tracked_is(uintptr_t handle)
{
    return (handle & 1) != 0;
}

static inline size_t leak_tracked_index(uintptr_t handle)
{
    return handle >> 1;
}

static inline uint64_t leak_tracked_bit(size_t index)
{
    return UINT64_C(1) << index % 64;
}
