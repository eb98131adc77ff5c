// Sites: from return addresses to the tree of call stacks and the sites at its nodes. Known ones
// are found without a lock; new ones are added under the recorder's, once each.
#pragma once

#include "base/attributes.h"
#include "record/tables.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

// The sites that have no stack, made first.
enum {
    SITE_BEFORE = 0,
    SITE_SIGNAL = 1,
    SITE_OTHERS = 2,
    SITE_THREAD = 3,
};

// Once, after recorder_open(). False without room.
bool sites_begin(void);

// In a forked child whose parent was interrupted here, perhaps: what is known is copied, and
// whoever goes on does so beside it. False without memory.
bool sites_renew(void);

// A return address as long as what it means lasts: see sites_forget_code().
extern _Atomic uint32_t sites_generation;
static inline uint64_t sites_call_key(uintptr_t pc)
{
    enum { ADDRESS_BITS = 47 };
    // acquire: pairs with the release in sites_forget_code()
    uint64_t generation = atomic_load_explicit(&sites_generation, memory_order_acquire);
    return pc ^ generation << ADDRESS_BITS;
}

// What is asked most, in arrays by node, so that the frames of one stack, whose nodes were made one
// after the other, stand side by side: the first call that was seen from it, and the site of the
// complete stack that ends there. Written under the recorder's lock; read by anyone.
struct sites_known {
    _Atomic uint64_t key;  // sites_call_key() of the call; 0: none, or being written
    _Atomic uint32_t node; // of that call
    _Atomic uint32_t site; // plus one; 0: not known
};
extern struct {
    struct sites_known
        *nodes; // by node plus one: RECORD_NONE, the caller of the outermost, is first
    uint32_t count;
} sites_known;

// The node of that call if it was the first from `parent`, else RECORD_NONE.
static ALWAYS_INLINE uint32_t sites_first_call(uint32_t parent, uint64_t key)
{
    if (UNLIKELY(parent + 1 >= sites_known.count)) return RECORD_NONE;
    struct sites_known *known = &sites_known.nodes[parent + 1];
    // acquire, twice: pair with the releases in note_first_call()
    if (atomic_load_explicit(&known->key, memory_order_acquire) != key) return RECORD_NONE;
    uint32_t node = atomic_load_explicit(&known->node, memory_order_acquire);
    bool is_whole = atomic_load_explicit(&known->key, memory_order_relaxed) == key;
    return LIKELY(is_whole) ? node : RECORD_NONE;
}

// The site of the complete stack that ends at the node, if it is known; else RECORD_NONE.
static ALWAYS_INLINE uint32_t sites_known_site(uint32_t node)
{
    if (UNLIKELY(node + 1 >= sites_known.count)) return RECORD_NONE;
    // acquire: pairs with the release in sites_find()
    return atomic_load_explicit(&sites_known.nodes[node + 1].site, memory_order_acquire) - 1;
}

// The node of a frame called from `parent` (RECORD_NONE: the outermost). RECORD_NONE without room.
uint32_t sites_node(uint32_t parent, uintptr_t pc);

// The site of a stack: its innermost node, why it ended, its number of frames. SITE_OTHERS, and the
// loss is counted, without room.
uint32_t sites_find(uint32_t node, uint32_t end, uint32_t depth);

// The same for memory that the program tracks under a name: of SITE_NAME_MAX bytes at most, of
// SITE_NAMES_MAX names; of what is longer the first are taken, of what is too many none.
enum { SITE_NAME_MAX = 127, SITE_NAMES_MAX = 4096 }; // guesses
uint32_t sites_find_named(uint32_t node, uint32_t end, uint32_t depth, const char *name);

// Code may have been unloaded: what addresses meant is forgotten.
void sites_forget_code(void);
