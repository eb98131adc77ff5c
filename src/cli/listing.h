// Listing: which recordings of a tree a summary is of, out of perhaps thousands: the main program's
// first, then, where that is another, that of the command itself, then the children with the
// highest peaks, in their order. The others need not even be read. Belongs to the command line.
#pragma once

#include "cli/recordings.h"
#include "report/report.h"

#include <stdbool.h>
#include <stddef.h>

struct listing {
    size_t items[2 + REPORT_CHILDREN_MAX]; // indices
    size_t count;
    bool has_started; // the second is that of the command
    size_t unlisted;  // children besides
};

// `main` and `started` are indices, or the count where there is none.
struct listing listing_of(const struct recordings *recordings, size_t main, size_t started);
