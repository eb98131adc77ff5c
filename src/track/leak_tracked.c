#include "track/leak_tracked.h"

#include "base/align.h"
#include "heap/span_map.h"
#include "os/own_pages.h"
#include "os/pages.h"
#include "track/tracked.h"

enum { BITS = 64 };

static void take(void *context, struct tracked_range *range)
{
    const uintptr_t top = (uintptr_t)1 << SPAN_MAP_ADDRESS_BITS;
    struct leak_tracked *self = context;
    uintptr_t end = range->start + (range->size > 0 ? range->size : 1);
    if (range->start >= top) return;           // no pointer is taken for one to it
    if (self->count == self->capacity) return; // a thread stands still while it adds one
    if (end > top || end < range->start) end = top;
    self->all[self->count++] = (struct leak_range){range->start, end};
}

static void find_outer(struct leak_tracked *self)
{
    for (size_t i = 1; i < self->count; i++) {
        size_t outer = i; // plus one: the one before
        while (outer > 0 && self->all[outer - 1].end <= self->all[i].start) {
            outer = self->outer[outer - 1];
        }
        self->outer[i] = (uint32_t)outer;
    }
}

bool leak_tracked_begin(struct leak_tracked *self)
{
    const size_t capacity = tracked_count();
    *self = (struct leak_tracked){.capacity = capacity};
    if (capacity == 0) return true;
    if (capacity > UINT32_MAX / 2) return false;
    const size_t cells_size = (capacity / BITS + 1) * sizeof *self->cells;
    const size_t ranges_size = capacity * sizeof *self->all;
    const size_t outer_size = capacity * sizeof *self->outer;
    self->memory_size = align_up(cells_size + ranges_size + outer_size + capacity, PAGE_SIZE);
    char *memory = own_pages_map(self->memory_size);
    if (!memory) return false;
    self->cells = (void *)memory;
    self->all = (void *)(memory + cells_size);
    self->outer = (void *)(memory + cells_size + ranges_size);
    self->is_shared = (void *)(memory + cells_size + ranges_size + outer_size);
    tracked_walk(take, self);
    leak_ranges_sort(self->all, self->count);
    find_outer(self);
    for (size_t i = 0; i < self->count; i++) self->cells[i / BITS].live |= leak_tracked_bit(i);
    return true;
}

void leak_tracked_end(struct leak_tracked *self)
{
    if (self->cells) own_pages_unmap(self->cells, self->memory_size);
    *self = (struct leak_tracked){0};
}

size_t leak_tracked_before(const struct leak_tracked *self, uintptr_t address)
{
    size_t first = 0;
    size_t last = self->count; // those before `first` start at or before it, those from here do not
    while (first < last) {
        size_t middle = (first + last) / 2;
        if (self->all[middle].start <= address) {
            first = middle + 1;
        } else {
            last = middle;
        }
    }
    return first;
}

bool leak_tracked_touches(const struct leak_tracked *self, uintptr_t start, uintptr_t end)
{
    if (self->count == 0 || start >= end) return false;
    for (size_t at = leak_tracked_before(self, end - 1); at > 0; at = self->outer[at - 1]) {
        if (self->all[at - 1].end > start) return true;
    }
    return false;
}
