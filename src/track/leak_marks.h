// Leak marks: what a leak scan has found out of each block: five bits, at the block's start: one
// cell for every KiB of addresses, and of blocks that are a page and larger, each of which begins
// in a page of its own, one for every 64 pages; made for 512 MiB at a time and resident where there
// are blocks.
// Beside them, of each page with small blocks, how large these are and where the first begins: in
// four bytes, what else the span map and the span would say, which are further apart in memory.
// A cell has a cache line for itself, and says also which blocks are live, so that a pointer costs
// one look at memory: they take a sixteenth of the addresses of small blocks. Invariants: all
// others are subsets of live; direct => not reached. Belongs to the thread that scans.
#pragma once

#include "base/attributes.h"
#include "heap/span_map.h"
#include "os/pages.h"

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
    // Of a page: the granules of a block, and above them its number in the span.
    LEAK_GRANULES_BITS = 12,
    // A range of addresses whose cells fill a large page: 32 MiB.
    LEAK_LARGE_PAGE_SHIFT = 21,
    LEAK_RANGE_SHIFT = LEAK_LARGE_PAGE_SHIFT + LEAK_CELL_SHIFT - 6, // a cell: 2^6 bytes
};

struct leak_leaf {
    struct leak_cell cells[LEAK_CELLS_PER_LEAF]; // of blocks below a page
    struct leak_cell wide[SPAN_MAP_LEAF_SLOTS / 64];
    uint32_t pages[SPAN_MAP_LEAF_SLOTS]; // 0: it has no small blocks
};

struct leak_marks {
    struct leak_leaf **leaves; // by address >> SPAN_MAP_LEAF_SHIFT; NULL: no blocks there
    uint64_t *reciprocals;     // span->block_reciprocal, by the granules of a block
    uint32_t *small_pages;     // how many have small blocks, by address >> LEAK_RANGE_SHIFT
    size_t first;              // first <= index < end of those that are there
    size_t end;
};

// Whether it has small blocks: a free one may say how large those were that it had.
static inline bool leak_marks_is_small(const struct span *span)
{
    const enum span_state state = span_state(span);
    return state >= SPAN_CURRENT && state <= SPAN_FULL;
}

// The marks of one block.
struct leak_mark {
    struct leak_cell *cell;
    uint64_t bit;
};

// Whether its blocks are smaller than a page: many begin in one.
static inline bool leak_marks_is_narrow(const struct span *span)
{
    return leak_marks_is_small(span) && span->block_size < PAGE_SIZE;
}

// How many blocks it may have; only those that have begun are live.
static inline uint32_t leak_marks_blocks(const struct span *span)
{
    return leak_marks_is_small(span) ? span->capacity : 1;
}

// For every block that the heap has now. False without memory; then nothing is to be undone.
bool leak_marks_begin(struct leak_marks *self);
void leak_marks_end(struct leak_marks *self);

// The cell of addresses of a narrow span.
static ALWAYS_INLINE struct leak_cell *leak_marks_cell(const struct leak_marks *self,
                                                       uintptr_t start)
{
    struct leak_leaf *leaf = self->leaves[start >> SPAN_MAP_LEAF_SHIFT];
    return &leaf->cells[start >> LEAK_CELL_SHIFT & (LEAK_CELLS_PER_LEAF - 1)];
}

static ALWAYS_INLINE const uint32_t *leak_marks_page(const struct leak_marks *self,
                                                     uintptr_t address)
{
    const struct leak_leaf *leaf = self->leaves[address >> SPAN_MAP_LEAF_SHIFT];
    return LIKELY(leaf) ? &leaf->pages[address >> PAGE_SHIFT & (SPAN_MAP_LEAF_SLOTS - 1)] : NULL;
}

static ALWAYS_INLINE void leak_marks_prefetch_page(const struct leak_marks *self, uintptr_t address)
{
    const uint32_t *page = leak_marks_page(self, address);
    if (LIKELY(page)) __builtin_prefetch(page);
}

static ALWAYS_INLINE struct leak_mark leak_marks_of(const struct leak_marks *self, uintptr_t start)
{
    enum { PAGE_GRANULES = PAGE_SIZE / GRANULE };
    struct leak_leaf *leaf = self->leaves[start >> SPAN_MAP_LEAF_SHIFT];
    const uintptr_t page = start >> PAGE_SHIFT & (SPAN_MAP_LEAF_SLOTS - 1);
    const uint32_t granules = leaf->pages[page] & ((1 << LEAK_GRANULES_BITS) - 1);
    if (LIKELY(granules - 1 < PAGE_GRANULES - 1)) {
        return (struct leak_mark){leak_marks_cell(self, start), span_bit(start)};
    }
    return (struct leak_mark){&leaf->wide[page / 64], UINT64_C(1) << (page % 64)};
}

// The small block, live or not, that the address lies in: as locate_block() says. False: none does,
// but perhaps one of whole pages. Behind a span's last block is a place where none is ever live.
static ALWAYS_INLINE bool leak_marks_find(const struct leak_marks *self, uintptr_t address,
                                          uintptr_t *start_out, size_t *size_out)
{
    const uint32_t *page = leak_marks_page(self, address);
    if (UNLIKELY(!page || *page == 0)) return false;
    const size_t granules = *page & ((1 << LEAK_GRANULES_BITS) - 1);
    const uintptr_t number = *page >> LEAK_GRANULES_BITS;
    const uintptr_t base = ((address >> PAGE_SHIFT) - number) << PAGE_SHIFT;
    const uint64_t granule = (address - base) >> GRANULE_SHIFT;
    const uint64_t index = granule * self->reciprocals[granules] >> 32; // as in span_index()
    *start_out = base + index * granules * GRANULE;
    *size_out = granules * GRANULE;
    return true;
}
