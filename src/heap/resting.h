// Resting: free runs on their way to the OS, out of reach of all but the thread that purges them.
// Their state says how far that is, since a forked child finds them without that thread:
// RESTING, then PURGED; or UNMAPPING, then UNMAPPED, or PURGED where the kernel refuses.
// Whoever calls holds the page heap's lock, except where it says otherwise.
#pragma once

#include "heap/span.h"

struct resting {
    struct list runs;
    size_t bytes;
};

void resting_init(struct resting *self);

// A run that is in no bin and no map.
void resting_add(struct resting *self, struct span *run);

// Gives its memory back, or its address space too: by the thread that added it, without the lock.
void resting_purge(struct span *run);
void resting_unmap(struct span *run);

// What came of it.
enum resting_end {
    RESTING_STAYED,   // it is as it was
    RESTING_IS_CLEAN, // it reads as zero
    RESTING_IS_GONE,  // its addresses are somebody else's, or may be
};
enum resting_end resting_remove(struct resting *self, struct span *run);
