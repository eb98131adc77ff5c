#include "base/align.h"
#include "heap/resolve.h"
#include "os/pages.h"
#include "track/leak_scan_inside.h"

static void lead_from(struct leak_scan *self, uintptr_t start, struct leak_cell *cell, uint64_t bit)
{
    self->leader = start;
    self->leader_count++;
    (void)leak_scan_come_across(self, start, cell, bit); // nobody has
    leak_scan_all(self);
}

// What is lost and none before has led to leads its own.
static void lead(struct leak_scan *self, uintptr_t start, struct leak_cell *cell, uint64_t bit)
{
    if ((cell->reached | cell->started) & bit) return;
    cell->direct |= bit;
    lead_from(self, start, cell, bit);
}

static bool lead_block(void *context, const struct heap_block *block)
{
    struct leak_scan *self = context;
    const struct leak_mark mark = leak_marks_of(&self->marks, block->start);
    lead(self, block->start, mark.cell, mark.bit);
    return true;
}

static void lead_tracked(struct leak_scan *self, size_t index)
{
    struct leak_cell *cell = &self->tracked.cells[index / 64];
    lead(self, leak_tracked_handle(index), cell, leak_tracked_bit(index));
}

static void lead_tracked_again(struct leak_scan *self, size_t index)
{
    struct leak_cell *cell = &self->tracked.cells[index / 64];
    uint64_t bit = leak_tracked_bit(index);
    if (cell->direct & bit) lead_from(self, leak_tracked_handle(index), cell, bit);
}

// One that another has led to is none any more.
static void lead_again(struct leak_scan *self, uintptr_t start)
{
    const struct leak_mark mark = leak_marks_of(&self->marks, start);
    if (mark.cell->direct & mark.bit) lead_from(self, start, mark.cell, mark.bit);
}

// The leaders of a cell of small blocks, from the last.
static void lead_cell_again(struct leak_scan *self, uintptr_t at)
{
    struct leak_cell *cell = leak_marks_cell(&self->marks, at);
    for (uint64_t left = cell->direct; left;) {
        unsigned granule = log2_floor(left);
        uint64_t bit = UINT64_C(1) << granule;
        left &= ~bit;
        if (!(cell->direct & bit)) continue;
        lead_from(self, align_down(at, CELL_SIZE) + granule * GRANULE, cell, bit);
    }
}

// The span at or before the page, whose slot has it; NULL: there is none.
static const struct span *span_before(uintptr_t low, uintptr_t *page)
{
    const uintptr_t leaf_size = (uintptr_t)1 << SPAN_MAP_LEAF_SHIFT;
    while (*page >= low) {
        const struct span *span = span_map_peek(*page);
        if (span) return span;
        // Without a leaf, on to the one before.
        bool has_leaf = atomic_load_explicit(&span_map_root[*page >> SPAN_MAP_LEAF_SHIFT],
                                             memory_order_relaxed) != NULL;
        *page = (has_leaf ? *page : align_down(*page, leaf_size)) - PAGE_SIZE;
    }
    return NULL;
}

// A leader that leads to one of a circle, and not to the circle's own leader, has not shown that
// that one is none. In the reverse order it does: whoever leads to a leader that had led before is
// led by one that came after it, or would have led that one from the beginning.
static void lead_in_reverse(struct leak_scan *self)
{
    self->step = LEAK_RELEADING;
    self->is_reversed = true;
    for (size_t i = self->tracked.count; i > 0; i--) lead_tracked_again(self, i - 1);
    if (self->high == 0) return;
    uintptr_t page = self->high - PAGE_SIZE;
    const struct span *span;
    while ((span = span_before(self->low, &page))) {
        if (leak_marks_is_narrow(span)) {
            for (uintptr_t at = span->base + span->size; at > span->base; at -= CELL_SIZE) {
                lead_cell_again(self, at - CELL_SIZE);
            }
        } else {
            for (uint32_t i = leak_marks_blocks(span); i > 0; i--) {
                lead_again(self, span_block(span, i - 1));
            }
        }
        page = span->base - PAGE_SIZE;
    }
}

void leak_scan_split(struct leak_scan *self)
{
    const struct memory_reader reader = memory_reader_own();
    self->step = LEAK_LEADING;
    (void)heap_walk(&reader, (uintptr_t)&mete_heap_root, lead_block,
                    self); // our own heap: it can be read
    for (size_t i = 0; i < self->tracked.count; i++) lead_tracked(self, i);
    if (self->has_met) lead_in_reverse(self);
}

// --- who leads to whom
// ----------------------------------------------------------------------------

static bool tell_block(void *context, const struct heap_block *block)
{
    struct leak_scan *self = context;
    lead_again(self, block->start);
    return true;
}

void leak_scan_tell(struct leak_scan *self, const struct leak_teller *teller)
{
    const struct memory_reader reader = memory_reader_own();
    if (self->leader_count == 0) return; // nothing is lost
    self->step = LEAK_TELLING;
    self->is_reversed = !self->is_reversed;
    self->teller = *teller;
    (void)heap_walk(&reader, (uintptr_t)&mete_heap_root, tell_block, self); // our own
    for (size_t i = 0; i < self->tracked.count; i++) lead_tracked_again(self, i);
}

// --- verdicts
// -------------------------------------------------------------------------------------

static enum record_leak_kind kind_of(const struct leak_cell *cell, uint64_t bit)
{
    if (cell->reached & bit) return cell->started & bit ? RECORD_REACHABLE : RECORD_INTERIOR;
    return cell->direct & bit ? RECORD_LOST_DIRECT : RECORD_LOST_INDIRECT;
}

enum record_leak_kind leak_scan_kind(const struct leak_scan *self, uintptr_t start)
{
    const struct leak_mark mark = leak_marks_of(&self->marks, start);
    return kind_of(mark.cell, mark.bit);
}

enum record_leak_kind leak_scan_kind_tracked(const struct leak_scan *self, size_t index)
{
    return kind_of(&self->tracked.cells[index / 64], leak_tracked_bit(index));
}
