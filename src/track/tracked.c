#include "track/tracked.h"

#include "base/align.h"
#include "os/own_pages.h"
#include "os/pages.h"

enum { FIRST_COUNT = 64 };

// Open addressing, at most half full, with places that somebody has left among them: these
// are found by the same start again, as pools hand out the same addresses again, and go when the
// table is made anew. Invariant: live <= used <= (mask + 1) / 2.
struct table {
    size_t mask; // the number of ranges minus one
    size_t used;
    size_t live;
    struct tracked_range ranges[];
};

static struct table *table; // NULL: there never was one

static size_t size_of(size_t count)
{
    return align_up(sizeof(struct table) + count * sizeof(struct tracked_range), PAGE_SIZE);
}

// The place of that start, or the empty one where it belongs.
static struct tracked_range *place_of(struct table *self, uintptr_t start)
{
    // Multiplication by 2^64 / the golden ratio (Knuth); the upper bits depend on all others.
    const uint64_t mixed = start * UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = mixed >> 32 ^ mixed >> 56;; i++) {
        struct tracked_range *place = &self->ranges[i & self->mask];
        if (place->start == start || place->start == 0) return place;
    }
}

static bool make_room(void)
{
    struct table *old = table;
    if (old && old->used < (old->mask + 1) / 2) return true;
    size_t count = FIRST_COUNT;
    while (old && count < 4 * old->live) count *= 2;
    struct table *made = own_pages_map(size_of(count));
    if (!made) return false;
    made->mask = count - 1;
    for (size_t i = 0; old && i <= old->mask; i++) {
        const struct tracked_range *range = &old->ranges[i];
        if (!range->is_live) continue;
        *place_of(made, range->start) = *range;
        made->used = ++made->live;
    }
    // Whoever stands still or is forked at any moment leaves one of the two.
    __atomic_store_n(&table, made, __ATOMIC_RELEASE);
    if (old) own_pages_unmap(old, size_of(old->mask + 1));
    return true;
}

bool tracked_add(const struct tracked_range *range)
{
    if (!make_room()) return false;
    struct tracked_range *place = place_of(table, range->start);
    if (place->start == 0) table->used++;
    if (!place->is_live) table->live++; // two threads may track the same at once
    *place = *range;
    place->is_live = true;
    return true;
}

struct tracked_range *tracked_find(uintptr_t start)
{
    if (!table || start == 0) return NULL;
    struct tracked_range *place = place_of(table, start);
    return place->is_live ? place : NULL;
}

bool tracked_remove(uintptr_t start, struct tracked_range *was_out)
{
    struct tracked_range *place = tracked_find(start);
    if (!place) return false;
    *was_out = *place;
    place->is_live = false;
    table->live--;
    return true;
}

size_t tracked_count(void)
{
    return table ? table->live : 0;
}

void tracked_walk(void (*see)(void *context, struct tracked_range *range), void *context)
{
    for (size_t i = 0; table && i <= table->mask; i++) {
        if (table->ranges[i].is_live) see(context, &table->ranges[i]);
    }
}
