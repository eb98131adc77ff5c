#include "record/row.h"

#include <math.h>

int64_t row_live(const struct record_row *row)
{
    return (int64_t)(row->bytes_allocated - row->bytes_freed);
}

struct row_peak row_at_peak(const struct recording *recording, const struct record_row *row)
{
    // Nothing has happened here since the peak: what is live now was live then. A row may also be
    // ahead of the process that was read after it.
    if (row->peak_count < recording->process->peak_count) {
        return (struct row_peak){
            .bytes = row_live(row),
            .blocks = (int64_t)(row->allocations - row->frees),
            .wasted = (int64_t)(row->wasted_allocated - row->wasted_freed),
        };
    }
    return (struct row_peak){
        .bytes = row->at_peak_bytes,
        .blocks = row->at_peak_blocks,
        .wasted = row->at_peak_wasted,
    };
}

unsigned row_shift(const struct record_row *row)
{
    return row->interval_shift < 31 ? row->interval_shift : 31;
}

float row_snapshot(float bytes)
{
    const float most = (float)INT64_MAX / 4;
    if (!isfinite(bytes)) return 0;
    return bytes > most ? most : bytes < -most ? -most : bytes;
}

int64_t row_live_at(const struct record_row *row, uint64_t intervals)
{
    const uint64_t ended = intervals >> row_shift(row);
    if (ended > 0 && ended <= row->snapshots) return (int64_t)row->live_over_time[ended - 1];
    return row_live(row);
}
