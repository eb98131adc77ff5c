#include "symbols/intervals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void intervals_init(struct intervals *self)
{
    memset(self, 0, sizeof *self);
}

void intervals_deinit(struct intervals *self)
{
    free(self->items);
    intervals_init(self);
}

static int append(struct intervals *self, struct interval item)
{
    if (self->count == self->capacity) {
        size_t capacity = self->capacity ? self->capacity * 2 : 64;
        struct interval *items = reallocarray(self->items, capacity, sizeof *items);
        if (!items) return -ENOMEM;
        self->items = items;
        self->capacity = capacity;
    }
    self->items[self->count++] = item;
    return 0;
}

int intervals_add(struct intervals *self, uint64_t start, uint64_t end, uint32_t item)
{
    if (start >= end) return 0;
    if (self->count == INTERVALS_NONE) return -ENOMEM;
    return append(self, (struct interval){
                            .start = start,
                            .end = end,
                            .item = item,
                            .order = (uint32_t)self->count,
                        });
}

// By beginning; equals in the order they came.
static int compare(const void *left, const void *right)
{
    const struct interval *a = left;
    const struct interval *b = right;
    if (a->start != b->start) return a->start < b->start ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

// The ranges that have begun and not ended, the one that holds on top.
struct open_ranges {
    const struct interval **items;
    size_t count;
    uint64_t from; // what is before has been told
};

// Tells what the open ranges hold before `until`. Ranges that end beneath a later one just go.
static int tell_until(struct open_ranges *open, uint64_t until, struct intervals *out)
{
    while (open->count > 0 && open->from < until) {
        struct interval part = *open->items[open->count - 1];
        if (part.end <= open->from) {
            open->count--;
            continue;
        }
        part.start = open->from;
        if (part.end > until) part.end = until;
        open->from = part.end;
        int error = append(out, part);
        if (error) return error;
    }
    return 0;
}

static int tell_all(const struct intervals *sorted, struct open_ranges *open, struct intervals *out)
{
    for (size_t i = 0; i < sorted->count; i++) {
        const struct interval *item = &sorted->items[i];
        int error = tell_until(open, item->start, out);
        if (error) return error;
        open->from = item->start;
        while (open->count > 0 && open->items[open->count - 1]->end <= item->start) open->count--;
        open->items[open->count++] = item;
    }
    return tell_until(open, UINT64_MAX, out);
}

int intervals_settle(struct intervals *self)
{
    if (self->count == 0) return 0;
    qsort(self->items, self->count, sizeof *self->items, compare);
    struct open_ranges open = {.items = calloc(self->count, sizeof *open.items)};
    if (!open.items) return -ENOMEM;
    struct intervals out;
    intervals_init(&out);
    int error = tell_all(self, &open, &out);
    free(open.items);
    if (error) {
        intervals_deinit(&out);
        return error;
    }
    free(self->items);
    *self = out;
    return 0;
}

uint32_t intervals_find(const struct intervals *self, uint64_t address)
{
    size_t low = 0;
    size_t high = self->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->items[middle].end <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == self->count || address < self->items[low].start) return INTERVALS_NONE;
    return self->items[low].item;
}
