// Recent calls: what sites.h answered a thread last, where its processor finds it at once. A table
// of all calls is much larger than a cache, and what one thread does at a time is not.
// Direct-mapped; what does not fit replaces what was there. Belongs to one thread; zero is empty.
#pragma once

#include "base/attributes.h"
#include "track/sites.h"

#include <stddef.h>
#include <stdint.h>

enum { RECENT_CALLS = 2048 }; // 48 KiB: python3 hits nine times of ten

struct recent_call {
    uint64_t key; // sites_call_key()
    uint32_t parent;
    uint32_t node;
    uint32_t site; // plus one: of the complete stack whose innermost frame this is; 0: not asked
};

struct recent_calls {
    struct recent_call calls[RECENT_CALLS];
};

// The call's place, with its node looked up if another call stood there. Its node is RECORD_NONE
// without room for it.
static ALWAYS_INLINE struct recent_call *recent_calls_find(struct recent_calls *self,
                                                           uint32_t parent, uintptr_t pc)
{
    uint64_t key = sites_call_key(pc);
    uint64_t mixed = (key ^ (uint64_t)parent << 32) * UINT64_C(0x9e3779b97f4a7c15);
    struct recent_call *call = &self->calls[mixed >> 53];
    if (LIKELY(call->key == key && call->parent == parent)) return call;
    uint32_t node = sites_node(parent, pc);
    call->key = node == RECORD_NONE ? 0 : key; // what found no room is asked for again
    call->parent = parent;
    call->node = node;
    call->site = 0;
    return call;
}
