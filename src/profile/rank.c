#include "profile/profile.h"

#include <stdlib.h>

// The best `max` seen so far: a heap whose root is the one to be thrown out next.
struct best {
    uint32_t *order;
    int64_t *values;
    size_t max;
    size_t count;
};

// Whether `a` comes after `b`: a smaller value, or the same and a larger index.
static bool is_behind(const struct best *self, size_t a, size_t b)
{
    if (self->values[a] != self->values[b]) return self->values[a] < self->values[b];
    return self->order[a] > self->order[b];
}

static void swap(struct best *self, size_t a, size_t b)
{
    const uint32_t index = self->order[a];
    const int64_t value = self->values[a];
    self->order[a] = self->order[b];
    self->values[a] = self->values[b];
    self->order[b] = index;
    self->values[b] = value;
}

static void sink(struct best *self, size_t at, size_t count)
{
    for (;;) {
        size_t last = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++) {
            if (is_behind(self, child, last)) last = child;
        }
        if (last == at) return;
        swap(self, at, last);
        at = last;
    }
}

static void offer(struct best *self, uint32_t index, int64_t value)
{
    if (self->max == 0) return;
    if (self->count == self->max) {
        // A later one of the same value comes behind.
        if (value <= self->values[0]) return;
        self->order[0] = index;
        self->values[0] = value;
        sink(self, 0, self->count);
        return;
    }
    size_t at = self->count++;
    self->order[at] = index;
    self->values[at] = value;
    while (at > 0 && is_behind(self, at, (at - 1) / 2)) {
        swap(self, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

// Empties the heap from the worst: what is left stands in falling order.
static void sort(struct best *self)
{
    for (size_t count = self->count; count > 1; count--) {
        swap(self, 0, count - 1);
        sink(self, 0, count - 1);
    }
}

static size_t finish(struct best *self)
{
    sort(self);
    free(self->values);
    return self->count;
}

static struct best best_in(uint32_t *order, size_t max, size_t available)
{
    if (max > available) max = available;
    int64_t *values = max > 0 ? calloc(max, sizeof *values) : NULL;
    // Without memory there is no ranking: an empty one.
    return (struct best){.order = order, .values = values, .max = values ? max : 0};
}

size_t profile_rank_rows(const struct profile *self, enum figures_key key, uint32_t *order_out,
                         size_t max)
{
    struct best best = best_in(order_out, max, self->rows_count);
    for (size_t i = 0; i < self->rows_count; i++) {
        const int64_t value = figures_value(&self->rows[i].figures, key);
        if (value <= 0) continue;
        offer(&best, (uint32_t)i, value);
    }
    return finish(&best);
}

size_t profile_rank_paths(const struct profile *self, const struct profile_row *row,
                          enum figures_key key, uint32_t *order_out, size_t max)
{
    struct best best = best_in(order_out, max, row->path_count);
    for (uint32_t i = row->first_path; i < row->first_path + row->path_count; i++) {
        const int64_t value = figures_value(&self->paths[i].figures, key);
        if (value <= 0) continue;
        offer(&best, i, value);
    }
    return finish(&best);
}

size_t profile_rank_sites(const struct profile *self, enum figures_key key, uint32_t *order_out,
                          size_t max)
{
    struct best best = best_in(order_out, max, self->sites_count);
    for (size_t i = 0; i < self->sites_count; i++) {
        const int64_t value = figures_value(&self->sites[i].figures, key);
        if (self->sites[i].is_hidden || value <= 0) continue;
        offer(&best, (uint32_t)i, value);
    }
    return finish(&best);
}
