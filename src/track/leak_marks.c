#include "track/leak_marks.h"

#include "os/own_pages.h"

static const size_t leaves_size = SPAN_MAP_ROOT_SLOTS * sizeof(struct leak_cell *);
static const size_t leaf_size = LEAK_CELLS_PER_LEAF * sizeof(struct leak_cell);

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
