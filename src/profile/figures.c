#include "profile/figures.h"

const char *const figures_key_names[FIGURES_KEY_COUNT] = {
    "peak", "live", "bytes", "allocations", "temporary", "wasted", "left", "lost",
};

static void add(int64_t *sum, int64_t value)
{
    *sum = (int64_t)((uint64_t)*sum + (uint64_t)value);
}

void figures_add(struct figures *self, const struct figures *other)
{
    self->allocations += other->allocations;
    self->bytes_allocated += other->bytes_allocated;
    self->wasted_allocated += other->wasted_allocated;
    self->frees += other->frees;
    self->bytes_freed += other->bytes_freed;
    self->wasted_freed += other->wasted_freed;
    self->temporary += other->temporary;
    self->reallocations += other->reallocations;
    self->inherited += other->inherited;
    self->inherited_bytes += other->inherited_bytes;
    self->lost_blocks += other->lost_blocks;
    self->lost_bytes += other->lost_bytes;
    add(&self->live_blocks, other->live_blocks);
    add(&self->live_bytes, other->live_bytes);
    add(&self->live_wasted, other->live_wasted);
    add(&self->at_peak_blocks, other->at_peak_blocks);
    add(&self->at_peak_bytes, other->at_peak_bytes);
    add(&self->at_peak_wasted, other->at_peak_wasted);
}

void figures_settle(struct figures *self)
{
    self->live_blocks = (int64_t)(self->allocations - self->frees);
    self->live_bytes = (int64_t)(self->bytes_allocated - self->bytes_freed);
    self->live_wasted = (int64_t)(self->wasted_allocated - self->wasted_freed);
}

static int64_t limited(uint64_t value)
{
    return value < INT64_MAX ? (int64_t)value : INT64_MAX;
}

static int64_t without(uint64_t value, uint64_t part)
{
    return part < value ? limited(value - part) : 0;
}

int64_t figures_value(const struct figures *self, enum figures_key key)
{
    switch (key) {
    case FIGURES_PEAK: return self->at_peak_bytes;
    case FIGURES_LIVE:
    case FIGURES_LEFT: return self->live_bytes;
    case FIGURES_BYTES: return without(self->bytes_allocated, self->inherited_bytes);
    case FIGURES_ALLOCATIONS: return without(self->allocations, self->inherited);
    case FIGURES_TEMPORARY: return limited(self->temporary);
    case FIGURES_WASTED: return self->at_peak_wasted;
    case FIGURES_LOST: return limited(self->lost_bytes);
    case FIGURES_KEY_COUNT: break;
    }
    return 0;
}
