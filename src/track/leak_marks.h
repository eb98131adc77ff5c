// Leak marks: what a leak scan has found out of each block: five bits, at the block's start: one
// cell for every KiB of addresses, made for 512 MiB at a time and resident where there are blocks.
// A cell has a cache line for itself, and says also which blocks are live, so that a pointer costs
// one look at memory: they take a sixteenth of the heap. Invariants: all others are subsets of
// live; direct => not reached. Belongs to the thread that scans.
#pragma once

#include "base/attributes.h"
#include "heap/span_map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct leak_cell {
    uint64_t live;    // as the heap's plane says
    uint64_t reached; // a root leads to it
    uint64_t started; // ... and a pointer to its start was seen. Of a lost one: it was come across
    uint64_t scanned; // what it holds has been looked at. Of lost ones, each time that leaders are
                      // looked at once more, both turn to the opposite
    uint64_t direct;  // it is lost, and no other lost block leads to it
    uint64_t unused[3];
};

enum {
    LEAK_CELL_SHIFT = 10,
    LEAK_CELLS_PER_LEAF = 1 << (SPAN_MAP_LEAF_SHIFT - LEAK_CELL_SHIFT),
};

struct leak_marks {
    struct leak_cell **leaves; // by address >> SPAN_MAP_LEAF_SHIFT; NULL: no blocks there
    size_t first;              // first <= index < end of those that are there
    size_t end;
};

// For every block that the heap has now. False without memory; then nothing is to be undone.
bool leak_marks_begin(struct leak_marks *self);
void leak_marks_end(struct leak_marks *self);

// The cell of a block's start.
static ALWAYS_INLINE struct leak_cell *leak_marks_cell(const struct leak_marks *self,
                                                       uintptr_t start)
{
    struct leak_cell *leaf = self->leaves[start >> SPAN_MAP_LEAF_SHIFT];
    return &leaf[start >> LEAK_CELL_SHIFT & (LEAK_CELLS_PER_LEAF - 1)];
}
