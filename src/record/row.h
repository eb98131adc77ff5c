// Row: what one of a recording's `rows` says of now and of moments that are past.
#pragma once

#include "record/reader.h"

#include <stdint.h>

// What was live at the peak of the process; negative where other threads freed.
struct row_peak {
    int64_t bytes;
    int64_t blocks;
    int64_t wasted;
};

// Live bytes now.
int64_t row_live(const struct record_row *row);

struct row_peak row_at_peak(const struct recording *recording, const struct record_row *row);

// log2 of the intervals of snapshot_interval_ms that each of its snapshots stands for.
unsigned row_shift(const struct record_row *row);

// A snapshot of so many live bytes, within what a sum of two can hold.
float row_snapshot(float bytes);

// Its live bytes at the end of so many intervals of snapshot_interval_ms.
int64_t row_live_at(const struct record_row *row, uint64_t intervals);
