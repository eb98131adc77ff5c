#include "track/leak_marks.h"

#include "os/own_pages.h"
#include "os/pages.h"

#include <assert.h>

static_assert(sizeof(struct leak_cell) == CACHE_LINE, "a cell is one look at memory");

static_assert(SMALL_SIZE_MAX / GRANULE < 1 << LEAK_GRANULES_BITS, "granules of a small block");
static_assert(sizeof(struct leak_leaf) % PAGE_SIZE == 0, "whole pages");

enum { HUGE_FROM = 64 << 20 }; // bytes of heap from which large pages pay for its marks (measured)

static const size_t leaves_size = SPAN_MAP_ROOT_SLOTS * sizeof(struct leak_leaf *);
static const size_t reciprocals_size = PAGE_SIZE << 3;
static_assert((PAGE_SIZE << 3) >= sizeof(uint64_t) << LEAK_GRANULES_BITS, "room for all");

static void note_pages(struct leak_marks *self, const struct span *span)
{
    const uint32_t granules = span->block_size / GRANULE;
    self->reciprocals[granules] = span->block_reciprocal;
    uint32_t number = 0;
    for (uintptr_t at = span->base; at < span->base + span->size; at += PAGE_SIZE, number++) {
        struct leak_leaf *leaf = self->leaves[at >> SPAN_MAP_LEAF_SHIFT];
        leaf->pages[at >> PAGE_SHIFT & (SPAN_MAP_LEAF_SLOTS - 1)] =
            number << LEAK_GRANULES_BITS | granules;
    }
}

static void note_live(struct leak_marks *self, const struct span *span)
{
    enum span_state state = span_state(span);
    if (state == SPAN_LARGE || state == SPAN_DIRECT) {
        uint64_t live = atomic_load_explicit(&span->announced, memory_order_relaxed) == 1;
        leak_marks_cell(self, span->base)->live = live ? span_bit(span->base) : 0;
    }
    if (state < SPAN_CURRENT || state > SPAN_FULL) return;
    note_pages(self, span);
    for (uintptr_t at = span->base; at < span->base + span->size; at += CELL_SIZE) {
        const struct plane_cell *cell = span_cell(span, at);
        uint64_t pending = atomic_load_explicit(&cell->pending, memory_order_relaxed);
        leak_marks_cell(self, at)->live =
            atomic_load_explicit(&cell->live, memory_order_relaxed) & ~pending;
    }
}

bool leak_marks_begin(struct leak_marks *self)
{
    char *memory = own_pages_map(leaves_size + reciprocals_size);
    if (!memory) return false;
    self->leaves = (struct leak_leaf **)(void *)memory;
    self->reciprocals = (uint64_t *)(void *)(memory + leaves_size);
    uintptr_t low;
    uintptr_t high;
    span_map_bounds(&low, &high);
    self->first = low >> SPAN_MAP_LEAF_SHIFT;
    self->end = (high >> SPAN_MAP_LEAF_SHIFT) + (high > 0);
    for (size_t i = self->first; i < self->end; i++) {
        if (!atomic_load_explicit(&span_map_root[i], memory_order_relaxed)) continue;
        struct leak_leaf *leaf = own_pages_map(sizeof *leaf);
        self->leaves[i] = leaf;
        if (leaf && high - low > HUGE_FROM) pages_advise_huge(leaf, sizeof leaf->cells);
        if (leaf) continue;
        leak_marks_end(self);
        return false;
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
    own_pages_unmap(self->leaves, leaves_size + reciprocals_size);
    self->leaves = NULL;
}
