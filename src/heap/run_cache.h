// Run cache: the last few large blocks that were freed, kept whole for the next of about their
// size. Their spans stay LARGE and in the span map, claimed, so nothing has to be split, merged or
// entered anew. Whoever needs dirty pages for something else has them flushed first.
//
// Invariants: bytes is the sum of the runs' sizes. Whoever calls holds the page heap's lock.
#pragma once

#include "heap/span.h"

enum { RUN_CACHE_COUNT = 8 }; // a search looks at all of them (guess)

struct run_cache {
    struct span *runs[RUN_CACHE_COUNT]; // NULL: a free place
    unsigned next;                      // the place to fill next: the oldest goes first
    size_t bytes;
};

// A run of `page_count` pages or up to an eighth more, not the cache's any more; NULL when there is
// none.
struct span *run_cache_take(struct run_cache *self, size_t page_count);

// Keeps a run. The one that had to go for it, or NULL.
struct span *run_cache_keep(struct run_cache *self, struct span *run);

// Any run, not the cache's any more; NULL when it is empty.
struct span *run_cache_take_any(struct run_cache *self);
