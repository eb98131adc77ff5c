// Leak scan, inside: what its two files share.
#pragma once

#include "base/align.h"
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

// --- what is left over

// Blocks of one cell that are to be scanned and are not.
static ALWAYS_INLINE uint64_t leak_scan_left_over(const struct leak_scan *self,
                                                  const struct leak_cell *cell)
{
    if (self->step == LEAK_REACHING) return cell->reached & ~cell->scanned;
    uint64_t left =
        self->is_reversed ? ~cell->started & cell->scanned : cell->started & ~cell->scanned;
    return left & ~cell->reached;
}

// Calls `see` for the blocks of the span that are to be scanned and are not. How many.
static ALWAYS_INLINE size_t leak_scan_find_in_span(struct leak_scan *self, const struct span *span,
                                                   void (*see)(struct leak_scan *self,
                                                               uintptr_t handle))
{
    size_t count = 0;
    if (leak_marks_is_narrow(span)) {
        for (uintptr_t at = span->base; at < span->base + span->size; at += CELL_SIZE) {
            uint64_t left = leak_scan_left_over(self, leak_marks_cell(&self->marks, at));
            for (; left; left &= left - 1, count++) {
                uintptr_t granule = (uintptr_t)__builtin_ctzl(left);
                see(self, align_down(at, CELL_SIZE) + granule * GRANULE);
            }
        }
        return count;
    }
    for (uint32_t i = 0; i < leak_marks_blocks(span); i++) {
        const uintptr_t start = span_block(span, i);
        const struct leak_mark mark = leak_marks_of(&self->marks, start);
        if (!(leak_scan_left_over(self, mark.cell) & mark.bit)) continue;
        see(self, start);
        count++;
    }
    return count;
}

// The same of all that there is, in that order. How many of how many cells.
static ALWAYS_INLINE size_t leak_scan_find_left_over(struct leak_scan *self,
                                                     void (*see)(struct leak_scan *self,
                                                                 uintptr_t handle),
                                                     size_t *cells_out)
{
    size_t count = 0;
    *cells_out = 0;
    self->searches++;
    self->has_overflown = false;
    for (size_t i = 0; i < self->tracked.count; i += 64) {
        uint64_t left = leak_scan_left_over(self, &self->tracked.cells[i / 64]);
        for (; left; left &= left - 1, count++) {
            see(self, leak_tracked_handle(i + (size_t)__builtin_ctzl(left)));
        }
    }
    for (const struct span *span = span_map_next(0); span;
         span = span_map_next(span->base + span->size)) {
        const bool is_narrow = leak_marks_is_narrow(span);
        *cells_out += is_narrow ? span->size / CELL_SIZE + 1 : leak_marks_blocks(span);
        count += leak_scan_find_in_span(self, span, see);
    }
    return count;
}
