#include "heap/thread_heap.h"

#include "heap/borrow.h"
#include "heap/idle.h"
#include "heap/metadata.h"
#include "heap/misuse.h"
#include "heap/note.h"
#include "heap/page_heap.h"
#include "heap/reclaim.h"
#include "heap/remote.h"

enum {
    BLOCKS_PER_REFILL = 32, // a cell with fewer free blocks is taken together with the next ones
    FRESH_PAGES_MAX = 64,   // 256 KiB of page faults cost a hundred times what a look costs
    DENSE_PAGES_MIN = 4,    // smaller spans are not worth a note that they became sparse
    DENSE_SHARE = 4,        // sparse: a quarter of the blocks or fewer are in use (guess)
};

struct thread_heap thread_heap_none;
__thread struct thread_heap *thread_heap = &thread_heap_none;

// --- what a bin's spans are
// -----------------------------------------------------------------------

// Gives an empty span back. Its owner is the calling thread (or holds idle_lock) and has made it
// busy.
static void release_span(struct span *span)
{
    const struct heap_observer *observer = heap_observed_by();
    if (observer && observer->span_gone) observer->span_gone(span->base, span->size);
    atomic_load_explicit(&span->owner, memory_order_relaxed)->reserves[span->class].spans--;
    misuse_note_freed(span->base, span->size, span->block_size);
    size_t notes_size;
    _Atomic uint32_t *notes = notes_detach(span, &notes_size);
    struct plane_cell *plane = span->plane;
    size_t plane_size = span->page_count * CELLS_PER_PAGE * sizeof *plane;
    atomic_store_explicit(&span->fast_owner, NULL, memory_order_relaxed);
    page_heap_give(span);
    notes_drop(notes, notes_size);
    metadata_give(METADATA_PLANE, plane, plane_size);
}

// Puts a span that is not current where its use says; it is in no list and nobody's reserve.
static void shelve(struct bin_reserve *reserve, struct span *span, uint32_t used)
{
    span->bias = 0;
    span->count = used;
    if (used == span->capacity) {
        span_set_state(span, SPAN_FULL);
        span->count = 1;
        return;
    }
    if (span->touched_pages < span->page_count && !reserve->growing) {
        span_set_state(span, SPAN_GROWING);
        reserve->growing = span;
        return;
    }
    span_set_state(span, SPAN_PARTIAL);
    if (!reserve->partial.next) list_init(&reserve->partial);
    list_add_last(&reserve->partial, &span->link);
    uint32_t sparse = span->page_count < DENSE_PAGES_MIN ? 0 : span->capacity / DENSE_SHARE;
    if (used > sparse) {
        span->bias = sparse;
        span->count = used - sparse;
    }
}

void thread_heap_rest_span(struct thread_heap *self, struct span *span)
{
    uint32_t used = span->count;
    if (used == 0) {
        release_span(span);
        return;
    }
    shelve(&self->reserves[span->class], span, used);
    span_give_busy(span);
}

void thread_heap_lower_count(struct thread_heap *self, struct span *span, uint32_t freed)
{
    struct bin_reserve *reserve = &self->reserves[span->class];
    enum span_state was = span_state(span);
    bool was_dense = was == SPAN_FULL || span->bias != 0;
    uint32_t used = span_used(span) - freed;
    if (was == SPAN_CURRENT) {
        span->count = used; // its bin looks when its list is used up
        return;
    }
    if (was == SPAN_PARTIAL) list_remove(&span->link);
    if (was == SPAN_GROWING) reserve->growing = NULL;
    // Empty, but the helper is purging its holes: then it stays, and goes or is used in its turn.
    if (used == 0 && span_try_busy(span)) {
        release_span(span);
        return;
    }
    shelve(reserve, span, used);
    if (was_dense && span->bias == 0 && span->page_count >= DENSE_PAGES_MIN) {
        reclaim_add(span->size - span->size / DENSE_SHARE);
    }
}

// Makes a busy span the one that its bin allocates from; no free list yet.
static void make_current(struct thread_heap *self, unsigned class, struct span *span)
{
    struct bin *bin = &self->bins[class];
    if (span_state(span) == SPAN_PARTIAL) list_remove(&span->link);
    span_set_state(span, SPAN_CURRENT);
    span->count += span->bias;
    span->bias = 0;
    span->bin = bin;
    atomic_store_explicit(&span->fast_owner, self, memory_order_relaxed);
    // Either heap_observe() sees the store as it goes through the spans, or this sees the observer.
    atomic_thread_fence(memory_order_seq_cst);
    if (heap_observed_by()) atomic_store_explicit(&span->fast_owner, NULL, memory_order_relaxed);
    self->reserves[class].current = span;
    bin->block_size = span->block_size;
    bin->plane_bias = span->plane_bias;
    if (span->freed_cells == 0) (void)span_extend(span); // nothing was freed: untouched pages, then
}

static uint32_t list_length(void **list)
{
    uint32_t count = 0;
    for (; list; list = *list) count++;
    return count;
}

// Blocks on the bin's lists.
static uint32_t listed_blocks(const struct thread_heap *self, unsigned class)
{
    return list_length(self->bins[class].free) + list_length(self->reserves[class].withheld);
}

// The blocks are free anyway: without the list they are found again by their cells' marks.
static void drop_list(struct span *span, void **list)
{
    for (; list; list = *list, span->count--) span->freed_cells |= span_cell_mark((uintptr_t)list);
}

void thread_heap_drop_bin(struct thread_heap *self, unsigned class)
{
    struct bin_reserve *reserve = &self->reserves[class];
    struct span *span = reserve->current;
    if (!span) return;
    drop_list(span, self->bins[class].free);
    drop_list(span, reserve->withheld);
    self->bins[class] = (struct bin){0};
    reserve->current = NULL;
    reserve->withheld = NULL;
    thread_heap_rest_span(self, span);
}

void thread_heap_scavenge(struct thread_heap *self)
{
    for (unsigned class = 1; class < CLASS_COUNT; class ++) {
        const struct span *span = self->reserves[class].current;
        // More blocks than start in the range cannot all be on the list.
        if (!span || span->count > self->bins[class].range / span->block_size + 1) continue;
        if (span->count == listed_blocks(self, class)) thread_heap_drop_bin(self, class);
    }
}

// Before a bin takes pages that will have to be faulted in: are there some that others have done
// with?
static void note_fresh(struct thread_heap *self, const struct span *span)
{
    if (span->is_dirty) return;
    self->fresh_pages += (unsigned)span->page_count;
    if (self->fresh_pages < FRESH_PAGES_MAX) return;
    self->fresh_pages = 0;
    thread_heap_scavenge(self);
}

// Pages for a span of `class`, and a plane for them; NULL, and nothing taken, without memory.
static struct span *take_pages(unsigned class, unsigned spans, struct plane_cell **plane_out)
{
    size_t page_count = size_class_span_pages(class, spans);
    size_t least = align_up(size_class_size(class), PAGE_SIZE) >> PAGE_SHIFT;
    if (least < page_count / 4) least = page_count / 4; // shorter ones are not worth their struct
    struct span *span = page_heap_take_some(page_count, least);
    if (!span) return NULL;
    // No memory to split a run: it may be longer than a plane can be.
    size_t plane_size = span->page_count * CELLS_PER_PAGE * sizeof(struct plane_cell);
    struct plane_cell *plane = NULL;
    if (span->page_count <= SPAN_PAGES_MAX) plane = metadata_take(METADATA_PLANE, plane_size);
    if (!plane) {
        page_heap_give(span);
        return NULL;
    }
    *plane_out = plane;
    return span;
}

static struct span *create_span(struct thread_heap *self, unsigned class)
{
    struct bin_reserve *reserve = &self->reserves[class];
    struct plane_cell *plane;
    struct span *span = take_pages(class, reserve->spans, &plane);
    // All address space that there may be can stand in free runs while metadata finds none.
    if (!span && page_heap_relieve()) span = take_pages(class, reserve->spans, &plane);
    if (!span) return NULL;
    reserve->spans++;
    span_init_small(span, class, plane);
    atomic_store_explicit(&span->owner, self, memory_order_relaxed);
    atomic_store_explicit(&span->busy, 1, memory_order_relaxed);
    span_set_state(span, SPAN_CURRENT);
    page_heap_publish(span);
    note_fresh(self, span);
    const struct heap_observer *observer = heap_observed_by();
    if (observer && observer->span_made) observer->span_made(span->base, span->size);
    return span;
}

// --- allocation
// -----------------------------------------------------------------------------------

// The next cells of the current span that have some free blocks become the free list.
static bool visit_span(struct bin *bin, struct span *span)
{
    struct span_range range;
    unsigned count = span_take_blocks(span, BLOCKS_PER_REFILL, &bin->free, &range);
    if (count == 0) return false;
    span->count += count;
    bin->start = range.start;
    bin->range = (uint32_t)range.size;
    return true;
}

// What a bin is to be filled for.
struct need {
    unsigned class; // of the bin
    unsigned asked; // the class that was asked for
    enum block_fit fit;
};

// A busy span that was none of the bin's own: borrowed, adopted, or new.
static struct span *find_elsewhere(struct thread_heap *self, const struct need *need)
{
    struct span *span = need->fit == FIT_EXACT ? NULL : borrow_span(self, need->class, need->asked);
    if (span) return span;
    // An idle heap is locked, and so are all others.
    bool is_idle = atomic_load_explicit(&self->is_idle, memory_order_relaxed);
    span = is_idle ? NULL : idle_adopt_span(self, need->class);
    if (span) return span;
    span = create_span(self, need->class);
    if (!span) { // the last resort: what other classes hold and do not use
        thread_heap_scavenge(self);
        span = create_span(self, need->class);
    }
    if (span) borrow_note_growth(&self->reserves[need->asked], span->page_count);
    return span;
}

// Finds the bin a span that may have free blocks: one whose turn has come, else untouched pages of
// the growing one, else another.
static bool choose_span(struct thread_heap *self, const struct need *need)
{
    struct bin_reserve *reserve = &self->reserves[need->class];
    struct list *partial = &reserve->partial;
    for (struct list *node = partial->next; node && node != partial; node = node->next) {
        struct span *span = LIST_ENTRY(node, struct span, link);
        if (!span_try_busy(span)) continue; // the helper purges its holes: the next one, then
        make_current(self, need->class, span);
        return true;
    }
    struct span *span = reserve->growing;
    if (span && span_try_busy(span)) {
        reserve->growing = NULL;
    } else {
        span = find_elsewhere(self, need);
    }
    if (!span) return false;
    make_current(self, need->class, span);
    return true;
}

// Fills the bin's free list.
static bool refill(struct thread_heap *self, const struct need *need)
{
    if (atomic_load_explicit(&self->announced, memory_order_relaxed)) remote_merge(self);
    struct bin *bin = &self->bins[need->class];
    for (;;) {
        struct span *span = self->reserves[need->class].current;
        if (span) {
            if (visit_span(bin, span)) return true;
            self->reserves[need->class].current = NULL;
            bin->range = 0;
            thread_heap_rest_span(self, span);
        }
        if (!choose_span(self, need)) return false;
    }
}

// Blocks of another class are no good now.
static void give_borrowed_back(struct thread_heap *self, unsigned class)
{
    const struct span *span = self->reserves[class].current;
    if (span && span->class != class) thread_heap_drop_bin(self, class);
}

// The next block of the bin's free list, which is filled if need be, not yet live.
static void *take_listed(struct thread_heap *self, const struct need *need)
{
    struct bin *bin = &self->bins[need->class];
    struct bin_reserve *reserve = &self->reserves[need->class];
    bool is_observed = heap_observed_by() != NULL;
    if (UNLIKELY(!bin->free && reserve->withheld)) {
        bin->free = reserve->withheld;
        reserve->withheld = NULL;
    }
    if (!bin->free) {
        bool is_filled = refill(self, need);
        // An idle heap is locked: whoever holds the lock does so later.
        if (!atomic_load_explicit(&self->is_idle, memory_order_relaxed)) page_heap_balance();
        if (!is_filled) return NULL;
    }
    void **block = bin->free;
    bin->free = *block;
    if (UNLIKELY(is_observed)) *block = NULL; // else it would lead to its neighbour
    if (UNLIKELY(is_observed && !reserve->withheld)) {
        reserve->withheld = bin->free;
        bin->free = NULL;
    }
    return block;
}

void *thread_heap_take_live(struct thread_heap *self, unsigned class, enum block_fit fit,
                            struct span **span_out)
{
    struct need need = {.class = class, .asked = class, .fit = fit};
    if (fit == FIT_EXACT) {
        give_borrowed_back(self, class);
    } else if (borrow_is_rare(&self->reserves[class], class)) {
        need.class = size_class_coarse(class);
    }
    void *block = take_listed(self, &need);
    if (!block) return NULL;
    struct span *span = self->reserves[need.class].current;
    struct plane_cell *cell = span_cell(span, (uintptr_t)block);
    uint64_t live = atomic_load_explicit(&cell->live, memory_order_relaxed);
    uint64_t pending = atomic_load_explicit(&cell->pending, memory_order_relaxed);
    uint64_t bit = span_bit((uintptr_t)block);
    // Another thread freed it at the same time as this one did.
    if (UNLIKELY(pending & bit)) misuse_panic("free", block);
    atomic_store_explicit(&cell->live, live | bit, memory_order_relaxed);
    *span_out = span;
    return block;
}

// --- frees by the owner
// ---------------------------------------------------------------------------

void thread_heap_give_block(struct thread_heap *self, struct span *span, uintptr_t block)
{
    struct plane_cell *cell = span_cell(span, block);
    uint64_t live = atomic_load_explicit(&cell->live, memory_order_relaxed);
    atomic_store_explicit(&cell->live, live & ~span_bit(block), memory_order_relaxed);
    struct bin *bin = span->bin;
    if (block - bin->start < bin->range) {
        void **list = heap_observed_by() ? &self->reserves[bin - self->bins].withheld : &bin->free;
        *(void **)block = *list;
        *list = (void *)block;
        return;
    }
    span->freed_cells |= span_cell_mark(block);
    if (--span->count == 0) thread_heap_count_spent(self, span);
}

NOINLINE void thread_heap_count_spent(struct thread_heap *self, struct span *span)
{
    // A FULL span's count stood at 1 for all of its blocks; others' counts have lost theirs
    // already.
    thread_heap_lower_count(self, span, span_state(span) == SPAN_FULL ? 1 : 0);
    page_heap_balance();
}

void thread_heap_withhold(struct thread_heap *self)
{
    for (unsigned class = 1; class < CLASS_COUNT; class ++) {
        struct bin_reserve *reserve = &self->reserves[class];
        struct bin *bin = &self->bins[class];
        if (!bin->free) continue;
        // Nobody has fetched the list of the time when somebody watched before.
        if (reserve->withheld) drop_list(reserve->current, reserve->withheld);
        reserve->withheld = bin->free;
        bin->free = NULL;
    }
}
