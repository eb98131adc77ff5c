// Merge: the rows of a site become one. While a program runs each thread has its own, so that none
// waits for another; whoever reads asks for all of them together, and a finished recording takes no
// more of the disk than one of a single thread would.
#pragma once

#include "record/reader.h"

// Of a recording that was mended. All that was counted of a site is what its rows say together;
// whose they were last is listed in `site_threads`. What several rows do not tell is the most that
// was ever live: the row has the most of which it is known. False for want of memory, or of
// indices: nothing was changed.
bool recording_merge(struct recording *recording);

// How many of a site's threads are listed in `site_threads`, when there were so many.
uint32_t merge_listed(uint32_t thread_count);
