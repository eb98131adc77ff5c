// Recent calls: what sites.h answered a thread last, where its processor finds it at once, for
// calls that are not the first from their node. A table of all calls is much larger than a cache,
// and what one thread does at a time is not. Direct-mapped; what does not fit replaces what was
// there. Belongs to one thread; zero is empty.
#pragma once

#include "base/attributes.h"
#include "track/sites.h"

#include <stddef.h>
#include <stdint.h>

enum { RECENT_CALLS = 2048 }; // 32 KiB (guess)

struct recent_call {
    uint64_t key; // sites_call_key()
    uint32_t parent;
    uint32_t node;
};

struct recent_calls {
    struct recent_call calls[RECENT_CALLS];
};

// The call's node; RECORD_NONE without room for it.
static ALWAYS_INLINE uint32_t recent_calls_find(struct recent_calls *self, uint32_t parent,
                                                uintptr_t pc)
{
    uint64_t key = sites_call_key(pc);
    uint32_t node = sites_first_call(parent, key);
    if (LIKELY(node != RECORD_NONE)) return node;
    uint64_t mixed = (key ^ (uint64_t)parent << 32) * UINT64_C(0x9e3779b97f4a7c15);
    struct recent_call *call = &self->calls[mixed >> 53];
    if (LIKELY(call->key == key && call->parent == parent)) return call->node;
    node = sites_node(parent, pc);
    if (UNLIKELY(node == RECORD_NONE)) return node; // is asked for again
    *call = (struct recent_call){.key = key, .parent = parent, .node = node};
    return node;
}
