// Figures: what is counted of a site, a function, a thread or the whole. Sums wrap, since a file
// from outside may hold any number. Pure.
#pragma once

#include <stdint.h>

// live = allocated - freed, at the end of the recording; at_peak: at the peak of the process.
// Bytes are requested bytes; wasted ones those that rounding added.
struct figures {
    uint64_t allocations;
    uint64_t bytes_allocated;
    uint64_t wasted_allocated;
    uint64_t frees;
    uint64_t bytes_freed;
    uint64_t wasted_freed;
    uint64_t temporary;
    uint64_t reallocations;
    uint64_t inherited; // of the allocations, those of the forked parent; and their bytes
    uint64_t inherited_bytes;
    uint64_t lost_blocks; // live ones that nothing leads to, as far as somebody looked
    uint64_t lost_bytes;
    int64_t live_blocks;
    int64_t live_bytes;
    int64_t live_wasted;
    int64_t at_peak_blocks;
    int64_t at_peak_bytes;
    int64_t at_peak_wasted;
};

// What things are ranked by.
enum figures_key {
    FIGURES_PEAK,
    FIGURES_LIVE,
    FIGURES_BYTES,
    FIGURES_ALLOCATIONS,
    FIGURES_TEMPORARY,
    FIGURES_WASTED, // at the peak
    FIGURES_LEFT,   // another word for live
    FIGURES_LOST,
    FIGURES_KEY_COUNT,
};
extern const char *const figures_key_names[FIGURES_KEY_COUNT];

void figures_add(struct figures *self, const struct figures *other);

// Sets live from what was allocated and freed.
void figures_settle(struct figures *self);

// Of allocations and bytes what the process did itself: without what it inherited.
int64_t figures_value(const struct figures *self, enum figures_key key);
