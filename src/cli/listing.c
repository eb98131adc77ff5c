#include "cli/listing.h"

struct family {
    const struct recordings *recordings;
    size_t main;
    size_t started;
};

static bool is_child(const struct family *self, size_t index)
{
    return index != self->main && index != self->started &&
           !self->recordings->items[index].is_dropped;
}

// The children with the highest peaks, `max` of them at most, in their order. How many there are.
static size_t choose(const struct family *self, size_t *chosen_out, size_t max)
{
    const struct recording *items = self->recordings->items;
    size_t count = 0;
    for (size_t i = 0; i < self->recordings->count; i++) {
        if (!is_child(self, i)) continue;
        if (count < max) {
            chosen_out[count++] = i;
            continue;
        }
        // The lowest gives way, of equal ones the last.
        size_t lowest = 0;
        for (size_t j = 1; j < count; j++) {
            const uint64_t peak = items[chosen_out[j]].facts.peak_bytes;
            if (peak <= items[chosen_out[lowest]].facts.peak_bytes) lowest = j;
        }
        if (items[i].facts.peak_bytes <= items[chosen_out[lowest]].facts.peak_bytes) continue;
        for (size_t j = lowest; j + 1 < count; j++) chosen_out[j] = chosen_out[j + 1];
        chosen_out[count - 1] = i;
    }
    return count;
}

struct listing listing_of(const struct recordings *recordings, size_t main, size_t started)
{
    const struct family family = {recordings, main, started};
    struct listing self = {.count = 0};
    size_t children = 0;
    for (size_t i = 0; i < recordings->count; i++) children += is_child(&family, i);
    self.has_started =
        started < recordings->count && started != main && !recordings->items[started].is_dropped;
    if (main < recordings->count) self.items[self.count++] = main;
    if (self.has_started) self.items[self.count++] = started;
    // One line is for those that do not fit.
    const size_t room = REPORT_CHILDREN_MAX - (size_t)self.has_started;
    const size_t chosen =
        choose(&family, self.items + self.count, children <= room ? room : room - 1);
    self.count += chosen;
    self.unlisted = children - chosen;
    return self;
}
