#include "track/leak_marks.h"

#include "os/own_pages.h"

#include <assert.h>

static_assert(sizeof(struct leak_cell) == CACHE_LINE, "a cell is one look at memory");

static const size_t leaves_size = SPAN_MAP_ROOT_SLOTS * sizeof(struct leak_cell *);
static const size_t leaf_size = LEAK_CELLS_PER_LEAF * sizeof(struct leak_cell);

static void note_live(struct leak_marks *self, const struct span *span)
{
    enum span_state state = span_state(span);
    if (state == SPAN_LARGE || state == SPAN_DIRECT) {
        uint64_t live = atomic_load_explicit(&span->announced, memory_order_relaxed) == 1;
        leak_marks_cell(self, span->base)->live = live ? span_bit(span->base) : 0;
    }
    if (state < SPAN_CURRENT || state > SPAN_FULL) return;
    for (uintptr_t at = span->base; at < span->base + span->size; at += CELL_SIZE) {
        const struct plane_cell *cell = span_cell(span, at);
        uint64_t pending = atomic_load_explicit(&cell->pending, memory_order_relaxed);
        leak_marks_cell(self, at)->live =
            atomic_load_explicit(&cell->live, memory_order_relaxed) & ~pending;
    }
}

bool leak_marks_begin(struct leak_marks *self)
{
    self->leaves = own_pages_map(leaves_size);
    if (!self->leaves) return false;
    uintptr_t low;
    uintptr_t high;
    span_map_bounds(&low, &high);
    self->first = low >> SPAN_MAP_LEAF_SHIFT;
    self->end = (high >> SPAN_MAP_LEAF_SHIFT) + (high > 0);
    for (size_t i = self->first; i < self->end; i++) {
        if (!atomic_load_explicit(&span_map_root[i], memory_order_relaxed)) continue;
        self->leaves[i] = own_pages_map(leaf_size);
        if (self->leaves[i]) continue;
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
        if (self->leaves[i]) own_pages_unmap(self->leaves[i], leaf_size);
    }
    own_pages_unmap(self->leaves, leaves_size);
    self->leaves = NULL;
}
