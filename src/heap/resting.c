#include "heap/resting.h"

void resting_init(struct resting *self)
{
    list_init(&self->runs);
}

void resting_add(struct resting *self, struct span *run)
{
    span_set_state(run, SPAN_RESTING);
    list_add_last(&self->runs, &run->link);
    self->bytes += run->size;
}

void resting_purge(struct span *run)
{
    pages_purge((void *)run->base, run->size);
    span_set_state(run, SPAN_PURGED);
}

void resting_unmap(struct span *run)
{
    span_set_state(run, SPAN_UNMAPPING);
    bool is_unmapped = pages_unmap((void *)run->base, run->size);
    span_set_state(run, is_unmapped ? SPAN_UNMAPPED : SPAN_PURGED);
}

enum resting_end resting_remove(struct resting *self, struct span *run)
{
    list_remove(&run->link);
    self->bytes -= run->size;
    switch (span_state(run)) {
    case SPAN_PURGED: return RESTING_IS_CLEAN;
    case SPAN_UNMAPPING:
    case SPAN_UNMAPPED: return RESTING_IS_GONE;
    default: return run->is_dirty ? RESTING_STAYED : RESTING_IS_CLEAN;
    }
}
