#include "record/merge.h"

#include "record/row.h"

#include <stdlib.h>

struct merger {
    struct recording *recording;
    uint32_t *row_counts; // by site
    uint32_t *rows;       // by site: the row that the others are added to, plus one
};

// Files may hold anything: what would turn over stays at the end.
static int64_t sum(int64_t a, int64_t b)
{
    int64_t result;
    if (!__builtin_add_overflow(a, b, &result)) return result;
    return a < 0 ? INT64_MIN : INT64_MAX;
}

// --- two rows become one
// ----------------------------------------------------------------------------

// Of intervals as long as the longer of both rows'. What lies past a row's snapshots is live now.
static void add_snapshots(struct record_row *to, const struct record_row *row)
{
    const struct record_row before = *to;
    const unsigned shift =
        row_shift(&before) > row_shift(row) ? row_shift(&before) : row_shift(row);
    const unsigned before_count = before.snapshots >> (shift - row_shift(&before));
    const unsigned count = row->snapshots >> (shift - row_shift(row));
    to->interval_shift = (uint8_t)shift;
    to->snapshots = (uint8_t)(before_count > count ? before_count : count);
    for (uint64_t i = 0; i < to->snapshots; i++) {
        const uint64_t intervals = (i + 1) << shift;
        const int64_t live = sum(row_live_at(&before, intervals), row_live_at(row, intervals));
        to->live_over_time[i] = row_snapshot((float)live);
    }
}

static void widen(struct record_row *to, const struct record_row *row)
{
    if (row->allocations > 0) {
        if (to->allocations == 0 || row->size_min < to->size_min) to->size_min = row->size_min;
        if (row->size_max > to->size_max) to->size_max = row->size_max;
    }
    if (row->reallocations > 0) {
        const bool is_first = to->reallocations == 0;
        if (is_first || row->step_min < to->step_min) to->step_min = row->step_min;
        if (is_first || row->step_max > to->step_max) to->step_max = row->step_max;
    }
    if (row->first_ms < to->first_ms) to->first_ms = row->first_ms;
    if (row->last_ms > to->last_ms) to->last_ms = row->last_ms;
}

static void add_peak(const struct recording *recording, struct record_row *to,
                     const struct record_row *row)
{
    const struct row_peak peak = row_at_peak(recording, to);
    const struct row_peak other = row_at_peak(recording, row);
    to->peak_count = recording->process->peak_count;
    to->at_peak_bytes = sum(peak.bytes, other.bytes);
    to->at_peak_blocks = sum(peak.blocks, other.blocks);
    to->at_peak_wasted = sum(peak.wasted, other.wasted);
}

static void add_row(const struct recording *recording, struct record_row *to,
                    const struct record_row *row)
{
    add_peak(recording, to, row);
    add_snapshots(to, row);
    widen(to, row);
    to->thread = RECORD_NONE;
    to->allocations += row->allocations;
    to->bytes_allocated += row->bytes_allocated;
    to->wasted_allocated += row->wasted_allocated;
    to->frees += row->frees;
    to->bytes_freed += row->bytes_freed;
    to->wasted_freed += row->wasted_freed;
    to->temporary += row->temporary;
    to->reallocations += row->reallocations;
    to->inherited += row->inherited;
    to->inherited_bytes += row->inherited_bytes;
    for (size_t i = 0; i < RECORD_SIZE_BUCKETS; i++) to->sizes[i] += row->sizes[i];
}

// How far snapshots of several rows may be off together: each has 24 bits, of no more than was ever
// allocated or freed at the site.
static int64_t snapshot_grain(const struct record_row *row, uint32_t row_count)
{
    const double passed = (double)row->bytes_allocated + (double)row->bytes_freed;
    const double grain = passed * row_count / (1 << 24);
    return grain < (double)INT64_MAX / 2 ? (int64_t)grain : INT64_MAX / 2;
}

// None of the rows saw what the others freed: what was live at some moment was, and so was the
// largest block.
static void bound_peak(struct record_row *row, uint32_t row_count)
{
    const int64_t grain = snapshot_grain(row, row_count);
    int64_t most = row_live(row);
    if (row->at_peak_bytes > most) most = row->at_peak_bytes;
    if ((int64_t)row->size_max > most) most = (int64_t)row->size_max;
    for (size_t i = 0; i < row->snapshots; i++) {
        const int64_t live = (int64_t)row->live_over_time[i] - grain;
        if (live > most) most = live;
    }
    row->peak_bytes = most;
}

// --- all rows
// ---------------------------------------------------------------------------------------

// Room for the threads of each site with several rows, behind those that are listed already.
static bool lists_make(struct merger *self)
{
    struct recording *recording = self->recording;
    size_t count = recording->site_threads_count;
    for (size_t i = 0; i < recording->sites_count; i++) {
        if (self->row_counts[i] > 1) count += merge_listed(self->row_counts[i]);
    }
    struct record_site_thread *threads = NULL;
    if (count < RECORD_NONE) {
        threads = reallocarray(recording->site_threads, count + 1, sizeof *threads);
    }
    if (!threads) return false;
    recording->site_threads = threads;
    for (size_t i = 0; i < recording->sites_count; i++) {
        if (self->row_counts[i] <= 1) continue;
        recording->sites[i].thread_count = 0;
        recording->sites[i].first_thread = (uint32_t)recording->site_threads_count;
        recording->site_threads_count += merge_listed(self->row_counts[i]);
    }
    return true;
}

static void list_thread(struct recording *recording, const struct record_row *row)
{
    struct record_site *site = &recording->sites[row->site];
    if (site->thread_count < RECORD_SITE_THREADS_MAX) {
        recording->site_threads[site->first_thread + site->thread_count].thread = row->thread;
    }
    site->thread_count++;
}

// Rows move to the front, over those that were added to others.
static void rows_add_up(struct merger *self)
{
    struct recording *recording = self->recording;
    size_t kept = 0;
    for (size_t i = 0; i < recording->rows_count; i++) {
        const struct record_row *row = &recording->rows[i];
        const uint32_t site = row->site;
        if (self->row_counts[site] > 1) list_thread(recording, row);
        if (self->rows[site]) {
            add_row(recording, &recording->rows[self->rows[site] - 1], row);
            continue;
        }
        if (kept != i) recording->rows[kept] = *row;
        self->rows[site] = (uint32_t)++kept;
    }
    recording->rows_count = kept;
    for (size_t i = 0; i < kept; i++) {
        struct record_row *row = &recording->rows[i];
        const uint32_t row_count = self->row_counts[row->site];
        if (row_count > 1) bound_peak(row, row_count);
    }
}

uint32_t merge_listed(uint32_t thread_count)
{
    const uint32_t most = RECORD_SITE_THREADS_MAX;
    return thread_count < most ? thread_count : most;
}

bool recording_merge(struct recording *recording)
{
    struct merger self = {
        .recording = recording,
        .row_counts = calloc(recording->sites_count + 1, sizeof *self.row_counts),
        .rows = calloc(recording->sites_count + 1, sizeof *self.rows),
    };
    bool is_fine = self.row_counts && self.rows;
    if (is_fine) {
        for (size_t i = 0; i < recording->rows_count; i++)
            self.row_counts[recording->rows[i].site]++;
        is_fine = lists_make(&self);
    }
    if (is_fine) rows_add_up(&self);
    free(self.row_counts);
    free(self.rows);
    return is_fine;
}
