#include "heap_check.h"

#include "heap/note.h"
#include "heap/run_cache.h"
#include "heap/span_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void heap_check_fail(const char *claim, int line, const struct span *span)
{
    fprintf(stderr, "heap_check: line %d: this should hold: %s\n", line, claim);
    if (span) {
        fprintf(
            stderr,
            "  span %p: state %d base %#lx size %#lx class %u block_size %u capacity %u count %u "
            "bias %u busy %u touched %u freed %#lx purged %#lx announced %#lx dirty %d owner %p\n",
            (const void *)span, (int)span_state(span), span->base, span->size, span->class,
            span->block_size, span->capacity, span->count, span->bias, span->busy,
            span->touched_pages, span->freed_cells, span->purged_pages, span->announced,
            span->is_dirty, (void *)span->owner);
    }
    abort();
}

// --- sets of spans
// ---------------------------------------------------------------------------------

void span_set_add(struct span_set *self, struct span *span)
{
    if (self->count == self->room) {
        self->room = self->room ? 2 * self->room : 256;
        self->spans = realloc(self->spans, self->room * sizeof *self->spans);
        self->marks = realloc(self->marks, self->room);
        if (!self->spans || !self->marks) abort();
    }
    self->marks[self->count] = 0;
    self->spans[self->count++] = span;
}

static int compare_spans(const void *left, const void *right)
{
    uintptr_t a = (uintptr_t) * (struct span *const *)left;
    uintptr_t b = (uintptr_t) * (struct span *const *)right;
    return (a > b) - (a < b);
}

void span_set_sort(struct span_set *self)
{
    if (self->count) qsort(self->spans, self->count, sizeof *self->spans, compare_spans);
}

size_t span_set_find(const struct span_set *self, const struct span *span)
{
    if (!self->count) return SIZE_MAX;
    struct span **found =
        bsearch(&span, self->spans, self->count, sizeof *self->spans, compare_spans);
    return found ? (size_t)(found - self->spans) : SIZE_MAX;
}

void span_set_deinit(struct span_set *self)
{
    free(self->spans);
    free(self->marks);
}

// --- the span map
// ----------------------------------------------------------------------------------

// Whether the span map's rules put the span into the slot of `at`.
static bool belongs_in_slot(const struct span *span, uintptr_t at)
{
    if (at - span->base >= span->size) return false;
    switch (span_state(span)) {
    case SPAN_UNUSED:
    case SPAN_RESTING:
    case SPAN_PURGED:
    case SPAN_UNMAPPING:
    case SPAN_UNMAPPED: return false;
    case SPAN_FREE: return at == span->base || at == span->base + span->size - PAGE_SIZE;
    case SPAN_DIRECT:
        return at < align_up(span->base + 1, SPAN_MAP_STRIDE) || at % SPAN_MAP_STRIDE == 0;
    default: return true;
    }
}

struct scan {
    struct heap_census census;
    struct span_set runs;
    struct span_set small;
    const struct span *last; // the span seen before, by address
};

static void check_extent(const struct scan *scan, const struct span *span)
{
    HOLDS(span->base % PAGE_SIZE == 0, span);
    HOLDS(span->size != 0, span);
    HOLDS(span->size == span->page_count << PAGE_SHIFT, span);
    HOLDS(!scan->last || span->base >= scan->last->base + scan->last->size, span);
    for (uintptr_t at = span->base; at < span->base + span->size; at += PAGE_SIZE) {
        if (belongs_in_slot(span, at)) HOLDS(span_map_peek(at) == span, span);
    }
}

static void check_free_run(struct scan *scan, struct span *span)
{
    const struct span *last = scan->last;
    bool touches = last && span_state(last) == SPAN_FREE && last->base + last->size == span->base;
    HOLDS(!touches || last->is_dirty != span->is_dirty, span);
    HOLDS(span->fast_owner == NULL, span);
    HOLDS(span->notes == NULL, span);
    scan->census.free_runs++;
    *(span->is_dirty ? &scan->census.dirty_bytes : &scan->census.clean_bytes) += span->size;
    span_set_add(&scan->runs, span);
}

// A freed block that is kept whole for the next of its size.
static void check_kept(struct scan *scan, const struct span *span)
{
    HOLDS(span_state(span) == SPAN_LARGE, span);
    HOLDS(span->announced == 0, span);
    HOLDS(span->is_dirty, span);
    HOLDS(span->notes == NULL, span);
    HOLDS(++scan->census.kept_spans <= RUN_CACHE_COUNT, span);
    scan->census.kept_bytes += span->size;
}

static void check_whole_block(struct scan *scan, const struct span *span)
{
    HOLDS(span->block_size == 0, span);
    HOLDS(span->fast_owner == NULL, span);
    if (span->announced != 1) {
        check_kept(scan, span);
        return;
    }
    scan->census.live_blocks++;
    scan->census.live_bytes += span->size;
    if (span_state(span) == SPAN_DIRECT) {
        scan->census.direct_spans++;
    } else {
        scan->census.large_spans++;
        scan->census.in_use_bytes += span->size;
    }
}

static void check_span(struct scan *scan, struct span *span)
{
    check_extent(scan, span);
    switch (span_state(span)) {
    case SPAN_FREE: check_free_run(scan, span); break;
    case SPAN_LARGE:
    case SPAN_DIRECT: check_whole_block(scan, span); break;
    case SPAN_CURRENT:
    case SPAN_GROWING:
    case SPAN_PARTIAL:
    case SPAN_FULL:
        scan->census.small_spans++;
        scan->census.in_use_bytes += span->size;
        check_small(span, &scan->census);
        span_set_add(&scan->small, span);
        break;
    default: {
        bool state_belongs_in_a_map = false;
        HOLDS(state_belongs_in_a_map, span);
    }
    }
    scan->last = span;
}

static void check_leaf(struct scan *scan, size_t index)
{
    struct span_slot *leaf = span_map_root[index];
    for (size_t i = 0; i < SPAN_MAP_LEAF_SLOTS; i++) {
        struct span *span = leaf[i].span;
        if (!span) continue;
        uintptr_t at = (index << SPAN_MAP_LEAF_SHIFT) + (i << PAGE_SHIFT);
        HOLDS(belongs_in_slot(span, at), span);
        if (span == scan->last) continue;
        HOLDS(at == span->base, span);
        check_span(scan, span);
    }
}

struct heap_census heap_check(void)
{
    struct scan scan = {0};
    for (size_t i = 0; i < SPAN_MAP_ROOT_SLOTS; i++) {
        if (span_map_root[i]) check_leaf(&scan, i);
    }
    span_set_sort(&scan.runs);
    span_set_sort(&scan.small);
    check_runs(&scan.runs, &scan.census);
    check_bins(&scan.small);
    span_set_deinit(&scan.runs);
    span_set_deinit(&scan.small);
    return scan.census;
}
