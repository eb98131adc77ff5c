#include "profile/inside.h"
#include "record/merge.h"
#include "record/row.h"

#include <assert.h>
#include <stdlib.h>

static struct figures row_figures(const struct recording *recording, const struct record_row *row)
{
    struct figures figures = {
        .allocations = row->allocations,
        .bytes_allocated = row->bytes_allocated,
        .wasted_allocated = row->wasted_allocated,
        .frees = row->frees,
        .bytes_freed = row->bytes_freed,
        .wasted_freed = row->wasted_freed,
        .temporary = row->temporary,
        .reallocations = row->reallocations,
        .inherited = row->inherited,
        .inherited_bytes = row->inherited_bytes,
    };
    figures_settle(&figures);
    const struct row_peak peak = row_at_peak(recording, row);
    figures.at_peak_blocks = peak.blocks;
    figures.at_peak_bytes = peak.bytes;
    figures.at_peak_wasted = peak.wasted;
    return figures;
}

static bool rows_find(struct profile *self)
{
    const struct recording *recording = self->recording;
    self->places->rows = calloc(self->sites_count + 1, sizeof *self->places->rows);
    if (!self->places->rows) return false;
    for (size_t i = 0; i < recording->rows_count; i++) {
        self->places->rows[recording->rows[i].site] = &recording->rows[i];
    }
    return true;
}

static const struct record_row *row_of(const struct profile *self, const struct profile_site *site)
{
    return self->places->rows[site - self->sites];
}

// The shortest interval that no row's is longer than, and of which the whole time has no more than
// PROFILE_POINTS_MAX.
static void interval_choose(struct profile *self)
{
    const struct recording *recording = self->recording;
    const uint64_t base_ms = recording->process->snapshot_interval_ms;
    if (base_ms == 0) return;
    unsigned shift = 0;
    for (size_t i = 0; i < recording->rows_count; i++) {
        if (row_shift(&recording->rows[i]) > shift) shift = row_shift(&recording->rows[i]);
    }
    const uint64_t duration_ms = self->process.duration_ms;
    self->interval_ms = base_ms << shift; // 32 bits and 31 at most
    while (duration_ms / self->interval_ms > PROFILE_POINTS_MAX) self->interval_ms *= 2;
    self->point_count = duration_ms / self->interval_ms;
}

void profile_over_time(const struct profile *self, const struct profile_site *site,
                       int64_t points_out[static PROFILE_POINTS_MAX])
{
    const struct record_row *row = row_of(self, site);
    const uint64_t base_ms = self->recording->process->snapshot_interval_ms;
    for (size_t i = 0; i < self->point_count; i++) {
        const uint64_t intervals = (i + 1) * (self->interval_ms / base_ms);
        points_out[i] = row ? row_live_at(row, intervals) : 0;
    }
}

void profile_site_sizes(const struct profile *self, const struct profile_site *site,
                        uint64_t sizes_out[static PROFILE_SIZES])
{
    static_assert((int)PROFILE_SIZES == (int)RECORD_SIZE_BUCKETS, "the same buckets");
    const struct record_row *row = row_of(self, site);
    for (size_t i = 0; i < PROFILE_SIZES; i++) sizes_out[i] = row ? row->sizes[i] : 0;
}

size_t profile_site_threads(const struct profile *self, const struct profile_site *site,
                            uint32_t threads_out[static PROFILE_SITE_THREADS])
{
    static_assert((int)PROFILE_SITE_THREADS == (int)RECORD_SITE_THREADS_MAX, "as many");
    const struct record_site *from = &self->recording->sites[site - self->sites];
    const size_t listed = merge_listed(from->thread_count);
    for (size_t i = 0; i < listed; i++) {
        threads_out[i] = self->recording->site_threads[from->first_thread + i].thread;
    }
    const struct record_row *row = row_of(self, site);
    if (listed > 0 || !row) return listed;
    threads_out[0] = row->thread;
    return 1;
}

// What the row of a site says, which has one when anything was counted there.
static void site_read(struct profile *self, struct profile_site *site)
{
    const struct record_row *row = row_of(self, site);
    if (!row) return;
    const struct profile_process *process = &self->process;
    const bool has_ended = process->state != PROFILE_RUNNING && process->duration_ms > 0;
    const uint64_t end_ms = has_ended ? process->duration_ms : UINT64_MAX;
    const struct record_site *from = &self->recording->sites[row->site];
    site->figures = row_figures(self->recording, row);
    site->peak_bytes = row->peak_bytes;
    site->is_peak_exact = row->thread != RECORD_NONE;
    site->thread_count = from->thread_count > 0 ? from->thread_count : 1;
    site->size_min = row->size_min;
    site->size_max = row->size_max;
    site->step_min = row->step_min;
    site->step_max = row->step_max;
    site->first_ms = row->first_ms < end_ms ? row->first_ms : end_ms;
    site->last_ms = row->last_ms < end_ms ? row->last_ms : end_ms;
    for (size_t i = 0; i < PROFILE_SIZES; i++) self->sizes[i] += row->sizes[i];
}

static void leaks_add(struct profile *self)
{
    for (size_t i = 0; i < self->leaks.count; i++) {
        const struct profile_leak *leak = &self->leaks.all[i];
        if (leak->kind > PROFILE_LOST_INDIRECT) continue;
        self->sites[leak->site].figures.lost_blocks += leak->blocks;
        self->sites[leak->site].figures.lost_bytes += leak->bytes;
    }
}

// Events are the threads' sums, so that sites can be held against them. What is live, or was
// inherited, the sites know.
static void totals_sum(struct profile *self)
{
    struct figures sum = {0};
    for (size_t i = 0; i < self->sites_count; i++) figures_add(&sum, &self->sites[i].figures);
    self->totals = sum;
    if (self->threads_count == 0) return;
    struct figures events = {0};
    for (size_t i = 0; i < self->threads_count; i++) {
        figures_add(&events, &self->threads[i].figures);
    }
    self->totals.allocations = events.allocations;
    self->totals.bytes_allocated = events.bytes_allocated;
    self->totals.wasted_allocated = events.wasted_allocated;
    self->totals.frees = events.frees;
    self->totals.bytes_freed = events.bytes_freed;
    self->totals.wasted_freed = events.wasted_freed;
    self->totals.temporary = events.temporary;
    self->totals.reallocations = events.reallocations;
}

// With several threads a peak is noticed late: what the sites held at it together may be more.
static void peak_settle(struct profile *self)
{
    struct profile_process *process = &self->process;
    const struct figures *totals = &self->totals;
    if (process->is_peak_exact || totals->at_peak_bytes <= (int64_t)process->peak_bytes) return;
    process->peak_bytes = (uint64_t)totals->at_peak_bytes;
    if (totals->at_peak_blocks > 0) process->peak_blocks = (uint64_t)totals->at_peak_blocks;
}

bool profile_sites(struct profile *self)
{
    const struct recording *recording = self->recording;
    self->sites = calloc(recording->sites_count + 1, sizeof *self->sites);
    if (!self->sites) return false;
    self->sites_count = recording->sites_count;
    if (!rows_find(self)) return false;
    interval_choose(self);
    for (size_t i = 0; i < self->sites_count; i++) {
        struct profile_site *site = &self->sites[i];
        site->node = recording->sites[i].node;
        site->kind = recording->sites[i].kind;
        site->end = recording->sites[i].end;
        site->name = profile_string(self, recording->sites[i].name);
        if (!site->name) return false;
        site_read(self, site);
        if (site->kind == PROFILE_OTHERS) self->unstacked += site->figures.allocations;
    }
    const bool is_full =
        recording->sites_count >= RECORD_SITES_MAX || recording->nodes_count >= RECORD_NODES_MAX;
    if (self->unstacked > 0 && !is_full) self->wants_room = true;
    leaks_add(self);
    totals_sum(self);
    peak_settle(self);
    return true;
}

const char *profile_end_text(uint32_t end)
{
    switch (end) {
    case RECORD_END_COMPLETE: return NULL;
    case RECORD_END_NO_RULE: return "code without unwind information";
    case RECORD_END_SIGNAL: return "a signal handler's frame";
    case RECORD_END_DEPTH: return "more frames than are recorded";
    case RECORD_END_BOUNDS: return "the end of the stack's memory";
    case RECORD_END_UNSUPPORTED: return "an unwind rule that mete does not follow";
    default: return "a reason that this mete does not know";
    }
}
