// Tracked: memory of any origin that the program has told of (mete_track), by where it starts: a
// table beside the ledger, in pages of its own. What the heap hands out needs none: its notes are
// the ledger.
// All of it under the recorder's lock, or while the other threads stand still: one that was taken
// out of a call (stopped, forked away from, left by siglongjmp) leaves a table that can be read.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tracked_range {
    uintptr_t start; // never 0
    size_t size;
    uint32_t site;
    bool is_live;      // else somebody has left it
    bool is_inherited; // a forked child's parent had told of it
    bool is_ignored;   // not to be told as lost
};

// None starts there. False without memory, and nothing has changed.
bool tracked_add(const struct tracked_range *range);

// False: none starts there.
bool tracked_remove(uintptr_t start, struct tracked_range *was_out);

// The one that starts there, or NULL. May be changed, but for its start; until the next tracked_add
// or tracked_remove.
struct tracked_range *tracked_find(uintptr_t start);

size_t tracked_count(void);

// Each, in no order; it may be changed in the same way.
void tracked_walk(void (*see)(void *context, struct tracked_range *range), void *context);
