// Index: a table from two numbers to a row of the recording, for many readers and one writer at a
// time. Finding takes no lock; adding is done under one that the caller holds. Entries never
// change. When it grows, the old table stays readable for good: all old ones together are smaller
// than the new one.
// Open addressing, at most half full. Private memory, from whole pages.
#pragma once

#include "base/attributes.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct index_entry {
    uint64_t key;
    uint32_t more;
    _Atomic uint32_t value; // plus one; 0: empty
};

struct index_table {
    size_t mask; // the number of entries minus one
    size_t used;
    struct index_entry entries[];
};

struct index {
    _Atomic(struct index_table *) table; // NULL: nothing in it
};

enum { INDEX_NONE = -1 }; // as uint32_t: no row has that index

static inline size_t index_hash(uint64_t key, uint32_t more)
{
    // Multiplication by 2^64 / the golden ratio (Knuth); the upper bits depend on all others.
    uint64_t mixed = (key ^ (uint64_t)more << 32) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(mixed >> 32 ^ mixed >> 56);
}

// The row of the two numbers, or INDEX_NONE.
static inline uint32_t index_find(const struct index *self, uint64_t key, uint32_t more)
{
    // acquire: pairs with the releases in index_add(): what it points at is there
    struct index_table *table = atomic_load_explicit(&self->table, memory_order_acquire);
    if (UNLIKELY(!table)) return (uint32_t)INDEX_NONE;
    for (size_t i = index_hash(key, more);; i++) {
        struct index_entry *entry = &table->entries[i & table->mask];
        uint32_t value = atomic_load_explicit(&entry->value, memory_order_acquire);
        if (value == 0) return (uint32_t)INDEX_NONE;
        if (LIKELY(entry->key == key && entry->more == more)) return value - 1;
    }
}

// Makes room for one more, which index_add() then surely finds. False without memory.
bool index_reserve(struct index *self);

// Adds what is not there yet. False without memory.
bool index_add(struct index *self, uint64_t key, uint32_t more, uint32_t row);

// The same where nobody else reads it: the table that it grows out of is given back.
bool index_add_alone(struct index *self, uint64_t key, uint32_t more, uint32_t row);

// The number of entries, for whoever may add some.
size_t index_count(const struct index *self);

// A copy of its table in its place, whole even if whoever adds to it is interrupted, and goes on
// later, in the old one. Without readers. False without memory.
bool index_renew(struct index *self);

// Nobody reads it any more: gives its table back, not those that it grew out of.
void index_drop(struct index *self);
