#include "track/leak_marks.h"

#include "os/own_pages.h"
#include "os/pages.h"

#include <assert.h>

static_assert(sizeof(struct leak_cell) == CACHE_LINE, "a cell is one look at memory");

static_assert(SMALL_SIZE_MAX / GRANULE < 1 << LEAK_GRANULES_BITS, "granules of a small block");
static_assert(sizeof(struct leak_leaf) % PAGE_SIZE == 0, "whole pages");

static const size_t leaves_size = SPAN_MAP_ROOT_SLOTS * sizeof(struct leak_leaf *);
static const size_t reciprocals_size = PAGE_SIZE << 3;
static_assert((PAGE_SIZE << 3) >= sizeof(uint64_t) << LEAK_GRANULES_BITS, "room for all");
static const size_t small_pages_size = sizeof(uint32_t)
                                       << (SPAN_MAP_ADDRESS_BITS - LEAK_RANGE_SHIFT);
static const size_t all_size = leaves_size + reciprocals_size + small_pages_size;

// Marks of small blocks lie side by side: where these fill half of what a large page of marks is
// for, one is asked for.
static void note_small_page(struct leak_marks *self, struct leak_leaf *leaf, uintptr_t at)
{
    enum { ENOUGH = 1 << (LEAK_RANGE_SHIFT - PAGE_SHIFT - 1) };
    if (++self->small_pages[at >> LEAK_RANGE_SHIFT] != ENOUGH) return;
    const uintptr_t first = at >> LEAK_RANGE_SHIFT << LEAK_RANGE_SHIFT;
    const size_t cell = first >> LEAK_CELL_SHIFT & (LEAK_CELLS_PER_LEAF - 1);
    pages_advise_huge(&leaf->cells[cell], (size_t)1 << LEAK_LARGE_PAGE_SHIFT);
}

static void note_pages(struct leak_marks *self, const struct span *span)
{
    const uint32_t granules = span->block_size / GRANULE;
    self->reciprocals[granules] = span->block_reciprocal;
    uint32_t number = 0;
    for (uintptr_t at = span->base; at < span->base + span->size; at += PAGE_SIZE, number++) {
        struct leak_leaf *leaf = self->leaves[at >> SPAN_MAP_LEAF_SHIFT];
        leaf->pages[at >> PAGE_SHIFT & (SPAN_MAP_LEAF_SLOTS - 1)] =
            number << LEAK_GRANULES_BITS | granules;
        if (span->block_size < PAGE_SIZE) note_small_page(self, leaf, at);
    }
}

static uint64_t live_in(const struct span *span, uintptr_t address)
{
    const struct plane_cell *cell = span_cell(span, address);
    uint64_t pending = atomic_load_explicit(&cell->pending, memory_order_relaxed);
    return atomic_load_explicit(&cell->live, memory_order_relaxed) & ~pending;
}

static bool is_live(const struct span *span, uintptr_t start)
{
    if (leak_marks_is_small(span)) return live_in(span, start) & span_bit(start);
    enum span_state state = span_state(span);
    return (state == SPAN_LARGE || state == SPAN_DIRECT) &&
           atomic_load_explicit(&span->announced, memory_order_relaxed) == 1;
}

// What is not live is not written: its marks may have no memory.
static void note_live(struct leak_marks *self, const struct span *span)
{
    if (leak_marks_is_narrow(span)) {
        for (uintptr_t at = span->base; at < span->base + span->size; at += CELL_SIZE) {
            const uint64_t live = live_in(span, at);
            if (live) leak_marks_cell(self, at)->live = live;
        }
        return;
    }
    for (uint32_t i = 0; i < leak_marks_blocks(span); i++) {
        const uintptr_t start = span_block(span, i);
        const struct leak_mark mark = leak_marks_of(self, start);
        if (is_live(span, start)) mark.cell->live |= mark.bit;
    }
}

bool leak_marks_begin(struct leak_marks *self)
{
    char *memory = own_pages_map(all_size);
    if (!memory) return false;
    self->leaves = (struct leak_leaf **)(void *)memory;
    self->reciprocals = (uint64_t *)(void *)(memory + leaves_size);
    self->small_pages = (uint32_t *)(void *)(memory + leaves_size + reciprocals_size);
    uintptr_t low;
    uintptr_t high;
    span_map_bounds(&low, &high);
    self->first = low >> SPAN_MAP_LEAF_SHIFT;
    self->end = (high >> SPAN_MAP_LEAF_SHIFT) + (high > 0);
    for (size_t i = self->first; i < self->end; i++) {
        if (!atomic_load_explicit(&span_map_root[i], memory_order_relaxed)) continue;
        struct leak_leaf *leaf = own_pages_map(sizeof *leaf);
        self->leaves[i] = leaf;
        if (leaf) continue;
        leak_marks_end(self);
        return false;
    }
    // All pages before the first mark, which would make a small page of what is to be a large one.
    for (const struct span *span = span_map_next(0); span;
         span = span_map_next(span->base + span->size)) {
        if (leak_marks_is_small(span)) note_pages(self, span);
    }
    for (const struct span *span = span_map_next(0); span;
         span = span_map_next(span->base + span->size)) {
        note_live(self, span);
    }
    return true;
}

void leak_marks_end(struct leak_marks *self)
{
    for (size_t i = self->first; i < self->end; i++) {
        if (self->leaves[i]) own_pages_unmap(self->leaves[i], sizeof *self->leaves[i]);
    }
    own_pages_unmap(self->leaves, all_size);
    self->leaves = NULL;
}
