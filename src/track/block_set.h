// Block set: some of the heap's blocks, by where they start: a bit per granule, made for 512 MiB of
// addresses at a time, resident where there are members. Zero is the empty set. A block that is
// freed does not leave it: who needs that removes it.
// Lock-free and async-signal-safe.
#pragma once

#include "base/attributes.h"
#include "heap/span_map.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct block_set_leaf {
    _Atomic uint64_t words[((size_t)1 << SPAN_MAP_LEAF_SHIFT) / GRANULE / 64];
};

struct block_set_root {
    _Atomic(struct block_set_leaf *) leaves[SPAN_MAP_ROOT_SLOTS]; // by address >> _LEAF_SHIFT
};

struct block_set {
    _Atomic(struct block_set_root *) root;
};

// False without memory: it is not in the set.
bool block_set_add(struct block_set *self, uintptr_t start);
void block_set_remove(struct block_set *self, uintptr_t start);
bool block_set_has(const struct block_set *self, uintptr_t start);

// Whether there never was one.
static inline bool block_set_is_unused(const struct block_set *self)
{
    return !atomic_load_explicit(&self->root, memory_order_relaxed);
}

// Gives its memory back: nobody else may use it meanwhile.
void block_set_reset(struct block_set *self);
