// Free runs: pages that no span uses, by kind, size and age.
// Runs that are resident (dirty) and runs that are not (clean: they read as zero) are kept apart
// and merge with neighbours of their kind only. A struct that a merge leaves over is buried, and
// destroyed later: the helper merges too, and it must not wait for metadata's lock (see
// brief_thread.h).
//
// Invariants: no two adjacent runs of one kind; every run stands in the bin of its kind and in the
// span map with its ends, dirty ones also in by_age. Whoever calls holds the page heap's lock.
#pragma once

#include "heap/run_bins.h"

struct free_runs {
    struct run_bins dirty;
    struct run_bins clean;
    struct list by_age; // dirty ones, oldest first
    struct list buried; // structs that describe nothing
};

void free_runs_init(struct free_runs *self);

// Makes a span that is in no map a free run of the kind that is_dirty says, merged with its
// neighbours.
void free_runs_insert(struct free_runs *self, struct span *run);

// Out of bins and map, ready to change its extent.
void free_runs_detach(struct free_runs *self, struct span *run);

// Cuts [start, start + size) out of a detached run; what is left over goes back to the bins.
// Without memory for the struct of what is behind, the taker gets that too; without one for what is
// before, false: the run is whole and free again.
bool free_runs_carve(struct free_runs *self, struct span *run, uintptr_t start, size_t size);

// The struct of a span that is in no list and no map is not needed any more.
void free_runs_bury(struct free_runs *self, struct span *span);

// Destroys what is buried. Takes metadata's lock.
void free_runs_reap_all(struct free_runs *self);

static inline void free_runs_reap(struct free_runs *self)
{
    if (UNLIKELY(!list_is_empty(&self->buried))) free_runs_reap_all(self);
}
