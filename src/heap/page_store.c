#include "heap/page_store.h"

#include "heap/span_map.h"

enum { CLEAN_SHARE = 8 }; // an eighth of what is in use may stand in clean runs (guess)

// Shorter runs are not worth a hole in the mappings.
#define UNMAP_SIZE_MIN ((size_t)1 << 20)

void page_store_init(struct page_store *self)
{
    free_runs_init(&self->free);
    resting_init(&self->resting);
}

size_t page_store_used(const struct page_store *self)
{
    return self->mapped_bytes - self->free.dirty.bytes - self->cache.bytes -
           self->free.clean.bytes - self->resting.bytes;
}

void page_store_note_used(struct page_store *self)
{
    purge_policy_note_used(&self->policy, page_store_used(self));
}

void page_store_note_mapped(struct page_store *self)
{
    size_t bytes = self->mapped_bytes + self->direct_bytes;
    if (bytes > self->peak_bytes) self->peak_bytes = bytes;
}

size_t page_store_dirty(const struct page_store *self)
{
    return self->free.dirty.bytes + self->cache.bytes;
}

size_t page_store_dirty_limit(struct page_store *self, uint64_t now_ms)
{
    return purge_policy_limit(&self->policy, page_store_used(self), now_ms);
}

// A fresh segment, and some for what comes and goes.
static size_t clean_limit(const struct page_store *self)
{
    return SEGMENT_SIZE_MAX + page_store_used(self) / CLEAN_SHARE;
}

bool page_store_has_surplus(const struct page_store *self)
{
    size_t limit = clean_limit(self);
    size_t asked = self->refused_bytes ? self->refused_bytes + SEGMENT_SIZE_MAX : 0;
    return self->free.clean.bytes > (limit > asked ? limit : asked);
}

void page_store_free(struct page_store *self, struct span *span, uint64_t now_ms)
{
    span_map_remove(span);
    span->is_dirty = true;
    span->freed_ms = now_ms;
    atomic_store_explicit(&span->owner, NULL, memory_order_relaxed);
    free_runs_insert(&self->free, span);
}

bool page_store_flush_cache(struct page_store *self)
{
    if (self->cache.bytes == 0) return false;
    struct span *run;
    while ((run = run_cache_take_any(&self->cache))) page_store_free(self, run, run->freed_ms);
    return true;
}

// Nobody merges with it meanwhile, and what is unmapped leaves no trace.
static void detach(struct page_store *self, struct purge_batch *batch, struct span *run,
                   bool is_unmapped)
{
    free_runs_detach(&self->free, run);
    resting_add(&self->resting, run);
    batch->runs[batch->count] = run;
    batch->is_unmapped[batch->count++] = is_unmapped;
}

void page_store_detach_dirty(struct page_store *self, struct purge_batch *batch, size_t keep,
                             uint64_t freed_ms_max)
{
    size_t clean_bytes = self->free.clean.bytes;
    while (batch->count < BATCH_MAX && self->free.dirty.bytes > keep &&
           !list_is_empty(&self->free.by_age)) {
        struct span *run = LIST_ENTRY(self->free.by_age.next, struct span, age);
        if (run->freed_ms > freed_ms_max) return;
        bool is_unmapped =
            run->size >= UNMAP_SIZE_MIN && clean_bytes + run->size > clean_limit(self);
        if (!is_unmapped) clean_bytes += run->size;
        detach(self, batch, run, is_unmapped);
    }
}

void page_store_detach_surplus(struct page_store *self, struct purge_batch *batch)
{
    while (batch->count < BATCH_MAX && page_store_has_surplus(self)) {
        detach(self, batch, run_bins_peek_longest(&self->free.clean), true);
    }
}

size_t purge_batch_purge(struct purge_batch *batch)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < batch->count; i++) {
        struct span *run = batch->runs[i];
        if (run->is_dirty) bytes += run->size;
        if (batch->is_unmapped[i] && !batch->was_refused) {
            resting_unmap(run);
            batch->was_refused = span_state(run) == SPAN_PURGED;
        } else if (run->is_dirty) {
            resting_purge(run);
        }
    }
    return bytes;
}

void page_store_settle(struct page_store *self, struct span *run)
{
    enum resting_end end = resting_remove(&self->resting, run);
    if (end == RESTING_IS_GONE) {
        self->mapped_bytes -= run->size;
        free_runs_bury(&self->free, run);
        return;
    }
    run->is_dirty = end == RESTING_STAYED;
    free_runs_insert(&self->free, run);
}

void page_store_settle_all(struct page_store *self, const struct purge_batch *batch)
{
    for (unsigned i = 0; i < batch->count; i++) page_store_settle(self, batch->runs[i]);
    self->refused_bytes = batch->was_refused ? self->free.clean.bytes : 0;
}
