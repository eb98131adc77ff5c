#include "profile/inside.h"

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
    };
    figures_settle(&figures);
    // Nothing has happened here since the peak: what is live now was live then. A row may also be
    // ahead of the process that was read after it.
    if (row->peak_count < recording->process->peak_count) {
        figures.at_peak_blocks = figures.live_blocks;
        figures.at_peak_bytes = figures.live_bytes;
        figures.at_peak_wasted = figures.live_wasted;
    } else {
        figures.at_peak_blocks = row->at_peak_blocks;
        figures.at_peak_bytes = row->at_peak_bytes;
        figures.at_peak_wasted = row->at_peak_wasted;
    }
    return figures;
}

// Counting sort of the recording's rows by their sites.
static bool rows_gather(struct profile *self)
{
    const struct recording *recording = self->recording;
    for (size_t i = 0; i < recording->rows_count; i++) {
        self->sites[recording->rows[i].site].row_count++;
    }
    uint32_t first = 0;
    for (size_t i = 0; i < self->sites_count; i++) {
        self->sites[i].first_row = first;
        first += self->sites[i].row_count;
        self->sites[i].row_count = 0;
    }
    self->places->rows = calloc(recording->rows_count + 1, sizeof *self->places->rows);
    if (!self->places->rows) return false;
    for (size_t i = 0; i < recording->rows_count; i++) {
        struct profile_site *site = &self->sites[recording->rows[i].site];
        self->places->rows[site->first_row + site->row_count++] = (uint32_t)i;
    }
    return true;
}

static const struct record_row *row_of(const struct profile *self, const struct profile_site *site,
                                       size_t i)
{
    return &self->recording->rows[self->places->rows[site->first_row + i]];
}

static unsigned shift_of(const struct record_row *row)
{
    return row->interval_shift < 31 ? row->interval_shift : 31;
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
        if (shift_of(&recording->rows[i]) > shift) shift = shift_of(&recording->rows[i]);
    }
    const uint64_t duration_ms = self->process.duration_ms;
    self->interval_ms = base_ms << shift; // 32 bits and 31 at most
    while (duration_ms / self->interval_ms > PROFILE_POINTS_MAX) self->interval_ms *= 2;
    self->point_count = duration_ms / self->interval_ms;
}

static int64_t row_at(const struct profile *self, const struct record_row *row, uint64_t time_ms)
{
    const uint64_t step_ms = (uint64_t)self->recording->process->snapshot_interval_ms
                             << shift_of(row);
    const uint64_t ended = time_ms / step_ms;
    if (ended > 0 && ended <= row->snapshots) return (int64_t)row->live_over_time[ended - 1];
    return (int64_t)(row->bytes_allocated - row->bytes_freed);
}

void profile_over_time(const struct profile *self, const struct profile_site *site,
                       int64_t points_out[static PROFILE_POINTS_MAX])
{
    for (size_t i = 0; i < self->point_count; i++) {
        uint64_t sum = 0;
        for (size_t j = 0; j < site->row_count; j++) {
            const uint64_t time_ms = (i + 1) * self->interval_ms;
            sum += (uint64_t)row_at(self, row_of(self, site, j), time_ms);
        }
        points_out[i] = (int64_t)sum;
    }
}

void profile_site_sizes(const struct profile *self, const struct profile_site *site,
                        uint64_t sizes_out[static PROFILE_SIZES])
{
    static_assert((int)PROFILE_SIZES == (int)RECORD_SIZE_BUCKETS, "the same buckets");
    for (size_t i = 0; i < PROFILE_SIZES; i++) {
        sizes_out[i] = 0;
        for (size_t j = 0; j < site->row_count; j++) {
            sizes_out[i] += row_of(self, site, j)->sizes[i];
        }
    }
}

size_t profile_site_threads(const struct profile *self, const struct profile_site *site,
                            uint32_t *threads_out, size_t max)
{
    size_t count = 0;
    for (size_t j = 0; j < site->row_count; j++) {
        const uint32_t thread = row_of(self, site, j)->thread;
        bool is_there = false;
        for (size_t i = 0; i < count && i < max; i++) is_there |= threads_out[i] == thread;
        if (is_there) continue;
        if (count < max) threads_out[count] = thread;
        count++;
    }
    return count;
}

// A lone row saw all that happened at its site. Several did not see what the others freed, so that
// none of their peaks need ever have been the site's; what was live at some moment was, and so was
// the largest block.
static void peak_bound(const struct profile *self, struct profile_site *site)
{
    const struct figures *figures = &site->figures;
    site->is_peak_exact = site->row_count == 1 && row_of(self, site, 0)->thread != RECORD_NONE;
    if (site->row_count == 1) {
        site->peak_bytes = row_of(self, site, 0)->peak_bytes;
        return;
    }
    site->peak_bytes =
        figures->live_bytes > figures->at_peak_bytes ? figures->live_bytes : figures->at_peak_bytes;
    int64_t points[PROFILE_POINTS_MAX];
    profile_over_time(self, site, points);
    for (size_t i = 0; i < self->point_count; i++) {
        if (points[i] > site->peak_bytes) site->peak_bytes = points[i];
    }
    const int64_t largest = (int64_t)site->size_max;
    if (largest > site->peak_bytes) site->peak_bytes = largest;
}

static void bounds_widen(struct profile_site *site, const struct record_row *row, bool is_first)
{
    if (row->allocations > 0 &&
        (site->figures.allocations == 0 || row->size_min < site->size_min)) {
        site->size_min = row->size_min;
    }
    if (row->size_max > site->size_max) site->size_max = row->size_max;
    if (is_first || row->first_ms < site->first_ms) site->first_ms = row->first_ms;
    if (row->last_ms > site->last_ms) site->last_ms = row->last_ms;
    if (row->reallocations == 0) return;
    const bool has_steps = site->figures.reallocations > 0;
    if (!has_steps || row->step_min < site->step_min) site->step_min = row->step_min;
    if (!has_steps || row->step_max > site->step_max) site->step_max = row->step_max;
}

static void site_sum(struct profile *self, struct profile_site *site)
{
    for (size_t i = 0; i < site->row_count; i++) {
        const struct record_row *row = row_of(self, site, i);
        bounds_widen(site, row, i == 0);
        const struct figures figures = row_figures(self->recording, row);
        figures_add(&site->figures, &figures);
        for (size_t j = 0; j < PROFILE_SIZES; j++) self->sizes[j] += row->sizes[j];
    }
    const struct profile_process *process = &self->process;
    const bool has_ended = process->state != PROFILE_RUNNING && process->duration_ms > 0;
    if (has_ended && site->last_ms > process->duration_ms) site->last_ms = process->duration_ms;
    peak_bound(self, site);
}

// Events are the threads' sums, so that sites can be held against them; what is live is the
// difference, but a forked child's threads did not make what it inherited: its sites know.
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

bool profile_sites(struct profile *self)
{
    const struct recording *recording = self->recording;
    self->sites = calloc(recording->sites_count + 1, sizeof *self->sites);
    if (!self->sites) return false;
    self->sites_count = recording->sites_count;
    if (!rows_gather(self)) return false;
    interval_choose(self);
    for (size_t i = 0; i < self->sites_count; i++) {
        struct profile_site *site = &self->sites[i];
        site->node = recording->sites[i].node;
        site->kind = recording->sites[i].kind;
        site->end = recording->sites[i].end;
        site_sum(self, site);
        if (site->kind == PROFILE_OTHERS) self->unstacked += site->figures.allocations;
    }
    const bool is_full =
        recording->sites_count >= RECORD_SITES_MAX || recording->nodes_count >= RECORD_NODES_MAX;
    if (self->unstacked > 0 && !is_full) self->wants_room = true;
    totals_sum(self);
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
