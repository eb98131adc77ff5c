// Intervals: which of many ranges of addresses holds one, also where they overlap.
// Ranges are added in any number, then settled, then asked. Where ranges overlap, the one that
// begins later holds the address, and of those that begin together the one added later; what it
// does not cover is its elders' again.
// Invariant, once settled: sorted and disjoint.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define INTERVALS_NONE UINT32_MAX

struct interval {
    uint64_t start;
    uint64_t end; // one past; start < end
    uint32_t item;
    uint32_t order;
};

struct intervals {
    struct interval *items;
    size_t count;
    size_t capacity;
};

void intervals_init(struct intervals *self);
void intervals_deinit(struct intervals *self);

// Nothing happens when the range is empty. 0 or -ENOMEM.
int intervals_add(struct intervals *self, uint64_t start, uint64_t end, uint32_t item);

// 0 or -ENOMEM.
int intervals_settle(struct intervals *self);

// The item of the range that holds the address, or INTERVALS_NONE.
uint32_t intervals_find(const struct intervals *self, uint64_t address);
