// Ledger: an observer that keeps a second book, a table from block to size and site, and complains
// when the heap tells it anything that the book contradicts. One per process; thread-safe.
#pragma once

#include "heap/observer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern const struct heap_observer ledger_observer;

struct ledger_entry {
    uintptr_t block;
    size_t size; // requested
    size_t block_size;
    uint32_t site;
};

struct ledger_totals {
    size_t allocations;
    size_t frees;         // of blocks in the book
    size_t frees_unknown; // of blocks from before: site 0, nothing in the book
    size_t resizes;       // of the allocations, those that a realloc ended with
    size_t kept;          // reallocs that failed after all
    size_t live_blocks;
    size_t live_bytes; // requested
    size_t span_bytes; // made and not gone
    size_t mistakes;   // what the heap said that cannot be
};

// An empty book. Nobody observes.
void ledger_reset(void);

struct ledger_totals ledger_totals(void);

// What the book says of a block; false: nothing.
bool ledger_find(uintptr_t block, struct ledger_entry *entry_out);

// What the last mistake was.
const char *ledger_mistake(void);
