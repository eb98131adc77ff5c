// Sites: from return addresses to the tree of call stacks and the sites at its nodes. Known ones
// are found without a lock; new ones are added under the recorder's, once each.
#pragma once

#include "record/tables.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

// The sites that have no stack, made first.
enum {
    SITE_BEFORE = 0,
    SITE_SIGNAL = 1,
    SITE_OTHERS = 2,
};

// Once, after recorder_open(). False without room.
bool sites_begin(void);

// A return address as long as what it means lasts: see sites_forget_code().
extern _Atomic uint32_t sites_generation;
static inline uint64_t sites_call_key(uintptr_t pc)
{
    enum { ADDRESS_BITS = 47 };
    // acquire: pairs with the release in sites_forget_code()
    uint64_t generation = atomic_load_explicit(&sites_generation, memory_order_acquire);
    return pc ^ generation << ADDRESS_BITS;
}

// The node of a frame called from `parent` (RECORD_NONE: the outermost). RECORD_NONE without room.
uint32_t sites_node(uint32_t parent, uintptr_t pc);

// The site of a stack: its innermost node, why it ended, its number of frames. SITE_OTHERS, and the
// loss is counted, without room.
uint32_t sites_find(uint32_t node, uint32_t end, uint32_t depth);

// Code may have been unloaded: what addresses meant is forgotten.
void sites_forget_code(void);
