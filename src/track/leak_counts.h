// Leak counts: what a look for leaks has found, by site and kind; of indirect leaks also by the
// site of one that leads to them, so that who knows of that one knows of these. Belongs to the
// thread that scans, in pages of its own.
#pragma once

#include "record/tables.h"
#include "track/index.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct leak_count {
    uint64_t blocks;
    uint64_t bytes;
};

struct leak_pair {
    uint32_t site;
    uint32_t leader;
    struct leak_count count;
};

enum { LEAK_PAIRS_MAX = 1 << 16 }; // past it nobody is known to lead there

struct leak_counts {
    struct leak_count *all; // by site and kind
    size_t site_count;      // sites from there on are counted as site 0; may become less
    struct leak_pair *pairs;
    uint32_t pair_count;
    struct index index; // (leader, site) -> pair
    size_t size;
};

// For so many sites at most. False without memory; then nothing is to be undone.
bool leak_counts_begin(struct leak_counts *self, size_t site_count);
void leak_counts_end(struct leak_counts *self);

void leak_counts_add(struct leak_counts *self, uint32_t site, enum record_leak_kind kind,
                     uint64_t bytes);
// Before all is written down: where pairs would find no room in a table of so many rows, it is not
// known who leads.
void leak_counts_settle(struct leak_counts *self, size_t capacity);

// Lost blocks.
uint64_t leak_counts_lost(const struct leak_counts *self);

void leak_counts_add_indirect(struct leak_counts *self, uint32_t site, uint32_t leader,
                              uint64_t bytes);
