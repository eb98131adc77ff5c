#include "heap/free_runs.h"

#include "heap/span_map.h"

void free_runs_init(struct free_runs *self)
{
    run_bins_init(&self->dirty);
    run_bins_init(&self->clean);
    list_init(&self->by_age);
    list_init(&self->buried);
}

static struct run_bins *bins_of(struct free_runs *self, const struct span *run)
{
    return run->is_dirty ? &self->dirty : &self->clean;
}

void free_runs_detach(struct free_runs *self, struct span *run)
{
    run_bins_remove(bins_of(self, run), run);
    if (run->is_dirty) list_remove(&run->age);
    span_map_remove(run);
}

void free_runs_bury(struct free_runs *self, struct span *span)
{
    span_set_state(span, SPAN_UNUSED);
    list_add_last(&self->buried, &span->link);
}

void free_runs_reap_all(struct free_runs *self)
{
    while (!list_is_empty(&self->buried)) {
        struct span *span = LIST_ENTRY(self->buried.next, struct span, link);
        list_remove(&span->link);
        span_destroy(span);
    }
}

// The free run in that slot if it can merge with one of that kind.
static struct span *mergeable(uintptr_t address, bool is_dirty)
{
    struct span *run = address >> SPAN_MAP_ADDRESS_BITS ? NULL : span_map_peek(address);
    if (!run || span_state(run) != SPAN_FREE || run->is_dirty != is_dirty) return NULL;
    return run;
}

void free_runs_insert(struct free_runs *self, struct span *run)
{
    struct span *before = mergeable(run->base - 1, run->is_dirty);
    if (before) {
        free_runs_detach(self, before);
        span_set_extent(run, before->base, before->size + run->size);
        free_runs_bury(self, before);
    }
    struct span *after = mergeable(run->base + run->size, run->is_dirty);
    if (after) {
        free_runs_detach(self, after);
        span_set_extent(run, run->base, run->size + after->size);
        free_runs_bury(self, after);
    }
    span_set_state(run, SPAN_FREE);
    run_bins_add(bins_of(self, run), run);
    if (run->is_dirty) list_add_last(&self->by_age, &run->age);
    span_map_add(run);
}

bool free_runs_carve(struct free_runs *self, struct span *run, uintptr_t start, size_t size)
{
    if (start > run->base) {
        struct span *front = span_create(run->base, start - run->base, run->is_dirty);
        if (!front) {
            free_runs_insert(self, run);
            return false;
        }
        front->freed_ms = run->freed_ms;
        span_set_extent(run, start, run->size - front->size);
        free_runs_insert(self, front);
    }
    uintptr_t end = start + size;
    uintptr_t run_end = run->base + run->size;
    if (end < run_end) {
        struct span *back = span_create(end, run_end - end, run->is_dirty);
        if (back) {
            back->freed_ms = run->freed_ms;
            span_set_extent(run, run->base, run->size - back->size);
            free_runs_insert(self, back);
        }
    }
    return true;
}
