// Leak scan, inside: what its two files share.
#pragma once

#include "base/attributes.h"
#include "track/leak_scan.h"

#include <stdbool.h>
#include <stdint.h>

static ALWAYS_INLINE void leak_scan_push(struct leak_scan *self, uintptr_t start)
{
    if (self->is_sweeping || self->depth == self->room) {
        self->has_overflown = true; // its mark says that it is still to be scanned
        return;
    }
    self->stack[self->depth++] = start;
}

// A lost block leads to this one. False: somebody had come across it before.
static ALWAYS_INLINE bool leak_scan_come_across(struct leak_scan *self, uintptr_t start,
                                                struct leak_cell *cell, uint64_t bit)
{
    uint64_t is_new = self->is_reversed ? cell->started : ~cell->started;
    if (!(is_new & bit)) return false;
    cell->started ^= bit;
    leak_scan_push(self, start);
    return true;
}

// Until all that is on the stack, and all that it leads to, has been scanned.
void leak_scan_all(struct leak_scan *self);
