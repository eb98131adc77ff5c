// Page store: all pages that the page heap has, and what of them should go back to the OS.
// Dirty runs go when there are more than the purge policy lets stay, oldest first. They are purged,
// so that they merge with clean neighbours and serve again; long ones are unmapped instead where
// there is clean address space enough, as are the longest clean runs beyond that. (Unmapping every
// long run left scraps of clean address space at each purge: a program with a peak of 13 MiB had 12
// GiB of them after 20 000 peaks.)
//
// Invariants: mapped == used + dirty + cached + clean + resting.
//
// Whoever calls holds the page heap's lock, except where it says otherwise.
#pragma once

#include "heap/free_runs.h"
#include "heap/purge_policy.h"
#include "heap/resting.h"
#include "heap/run_cache.h"

// A fresh segment is an eighth of what there is, within these: small programs stay small (and live
// under ulimit -v), large ones ask seldom. Untouched pages cost address space only.
#define SEGMENT_SIZE_MIN ((size_t)1 << 20)
#define SEGMENT_SIZE_MAX ((size_t)16 << 20)

struct page_store {
    struct free_runs free;
    struct run_cache cache; // dirty too
    struct resting resting;
    struct purge_policy policy;
    size_t mapped_bytes;  // of segments
    size_t direct_bytes;  // of direct mappings
    size_t peak_bytes;    // of both
    size_t refused_bytes; // clean ones, when the kernel last refused to unmap any
};

void page_store_init(struct page_store *self);

// Bytes that spans have.
size_t page_store_used(const struct page_store *self);

// The same is more, or may be.
void page_store_note_used(struct page_store *self);
void page_store_note_mapped(struct page_store *self);

// Bytes in runs that are resident, and how many may be.
size_t page_store_dirty(const struct page_store *self);
size_t page_store_dirty_limit(struct page_store *self, uint64_t now_ms);

// Whether there is more clean address space than should be.
bool page_store_has_surplus(const struct page_store *self);

// A span's pages become a dirty run.
void page_store_free(struct page_store *self, struct span *span, uint64_t now_ms);

// What is kept whole becomes dirty runs. True when something was.
bool page_store_flush_cache(struct page_store *self);

// Runs on their way to the OS; empty when zero.
enum { BATCH_MAX = 16 }; // bounds what is missing from the bins meanwhile

struct purge_batch {
    unsigned count;
    struct span *runs[BATCH_MAX];
    bool is_unmapped[BATCH_MAX];
    bool was_refused;
};

// Takes some of the oldest dirty runs out of bins and map, until at most `keep` bytes are dirty,
// but none freed after `freed_ms_max`.
void page_store_detach_dirty(struct page_store *self, struct purge_batch *batch, size_t keep,
                             uint64_t freed_ms_max);

// The same for clean ones that are surplus.
void page_store_detach_surplus(struct page_store *self, struct purge_batch *batch);

// Gives them back, without the lock. Bytes that were resident. When the kernel refuses to unmap
// one, for want of mappings, the others are only purged.
size_t purge_batch_purge(struct purge_batch *batch);

// What was purged is a clean run now; what was unmapped is nothing.
void page_store_settle(struct page_store *self, struct span *run);

// All of a batch. What was refused is asked again when another segment's worth has come.
void page_store_settle_all(struct page_store *self, const struct purge_batch *batch);
