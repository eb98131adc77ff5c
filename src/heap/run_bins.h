// Run bins: free page runs by size, best fit first.
// A bin per page count to 64, then eight per doubling; the last takes whatever is longer.
// Invariants: every span in a bin is SPAN_FREE and its page count belongs there; a bin's bit is set
// exactly when it is not empty. Whoever calls holds the page heap's lock.
#pragma once

#include "heap/span.h"

enum {
    RUN_BIN_EXACT_MAX = 64,
    RUN_BIN_COUNT = RUN_BIN_EXACT_MAX + 1 + 12 * 8, // to 2^18 pages, 1 GiB
};

struct run_bins {
    struct list runs[RUN_BIN_COUNT];
    uint64_t nonempty[(RUN_BIN_COUNT + 63) / 64];
    size_t bytes; // of all runs
};

void run_bins_init(struct run_bins *self);
void run_bins_add(struct run_bins *self, struct span *run);
void run_bins_remove(struct run_bins *self, struct span *run);

// A run of at least `page_count` pages, about the shortest there is; it stays where it is. NULL:
// none.
struct span *run_bins_find(const struct run_bins *self, size_t page_count);

// The longest run of at least `least` and fewer than `most` pages, at most RUN_BIN_EXACT_MAX. NULL:
// none.
struct span *run_bins_find_shorter(const struct run_bins *self, size_t least, size_t most);

// Some run, or about the longest; NULL when there is none.
struct span *run_bins_peek(const struct run_bins *self);
struct span *run_bins_peek_longest(const struct run_bins *self);
