// Heap check: walks everything the heap knows of itself and asserts what the headers of src/heap
// claim. Whoever finds a claim broken gets it told on fd 2, with the span, and the process aborted.
// The heap must stand still meanwhile: no other thread allocates, frees, trims or purges.
// Memory of its own comes from libc's malloc, which these programs keep.
#pragma once

#include "heap/page_heap.h"
#include "heap/thread_heap.h"

// What there is, counted on the way.
struct heap_census {
    size_t small_spans;
    size_t large_spans;
    size_t direct_spans;
    size_t free_runs;
    size_t kept_spans; // freed LARGE ones, still whole
    size_t kept_bytes;
    size_t live_blocks; // pending ones are not
    size_t live_bytes;  // of them, block sizes
    size_t pending_blocks;
    size_t in_use_bytes; // pages of small and LARGE spans
    size_t dirty_bytes;  // of free runs, without the kept ones
    size_t clean_bytes;
};

// The whole heap: span map, page heap, spans, bins. Leaves no state of the heap changed.
struct heap_census heap_check(void);

// --- the parts, for heap_check()
// ------------------------------------------------------------------

// A growing array of spans, sorted by address of the struct once it is complete.
struct span_set {
    struct span **spans;
    uint8_t *marks; // one per span, for the checker's own use
    size_t count;
    size_t room;
};

void span_set_add(struct span_set *self, struct span *span);
void span_set_sort(struct span_set *self);
// The index of the span in a sorted set, or SIZE_MAX.
size_t span_set_find(const struct span_set *self, const struct span *span);
void span_set_deinit(struct span_set *self);

// Free runs: bins, ages, figures.
void check_runs(const struct span_set *runs, const struct heap_census *census);

// One small span by itself: extents, plane, cursor. Adds its blocks to the census.
void check_small(const struct span *span, struct heap_census *census);

// Bins and lists of every thread heap that owns one of the spans, and their counts.
void check_bins(struct span_set *small);

_Noreturn void heap_check_fail(const char *claim, int line, const struct span *span);

#define HOLDS(claim, span)                                                                         \
    do {                                                                                           \
        if (!(claim)) heap_check_fail(#claim, __LINE__, span);                                     \
    } while (0)
