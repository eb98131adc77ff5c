#include "heap/large.h"

#include "heap/direct.h"
#include "heap/note.h"

enum {
    SPARE_PAGES_MAX = 256,
    // Each move may split a mapping in two, and a process may have 65 530: so some are moved, no
    // more.
    MOVES_MAX = 8192,
};

// From here on moving pages is cheaper than copying them to pages that have to be faulted in first:
// 2 µs of system call against 4 KiB / 10 GiB/s + 0.5 µs of page fault for each page.
#define MOVE_SIZE_MIN ((size_t)128 << 10)

static struct {
    _Atomic size_t direct_size_min;
    _Atomic size_t moves;
} state = {
    .direct_size_min =
        (size_t)32 << 20}; // glibc's largest threshold; below it mapping anew costs page faults

size_t large_size_for(size_t size)
{
    return align_up(size, PAGE_SIZE);
}

size_t large_direct_size_min(void)
{
    return atomic_load_explicit(&state.direct_size_min, memory_order_relaxed);
}

void large_set_direct_size_min(size_t size)
{
    atomic_store_explicit(&state.direct_size_min, size, memory_order_relaxed);
}

static struct span *publish(struct span *span)
{
    span->block_size = 0;
    atomic_store_explicit(&span->fast_owner, NULL, memory_order_relaxed);
    span_set_state(span, SPAN_LARGE);
    span->announced = 1;
    page_heap_publish(span);
    return span;
}

struct span *large_take(size_t size, size_t align, enum page_wish wish)
{
    size_t page_count = large_size_for(size) >> PAGE_SHIFT;
    bool is_exact = align != 0;
    if (align < PAGE_SIZE) align = PAGE_SIZE;
    if (size + align < size || (page_count << PAGE_SHIFT) + align > PTRDIFF_MAX) return NULL;
    if (size + (align - PAGE_SIZE) >= large_direct_size_min()) {
        struct span *span = direct_take(page_count, align);
        // seq_cst by default: once per large block
        if (span) span->announced = 1;
        return span;
    }
    if (align == PAGE_SIZE && wish == PAGES_ANY) {
        struct span *kept = page_heap_take_kept(page_count);
        if (kept && (!is_exact || kept->page_count == page_count)) {
            kept->announced = 1;
            return kept;
        }
        if (kept) page_heap_keep(kept);
    }
    struct span *span = page_heap_take(page_count, align, wish);
    return span ? publish(span) : NULL;
}

bool large_claim(struct span *span)
{
    return atomic_exchange_explicit(&span->announced, 0, memory_order_acq_rel) == 1;
}

void large_give(struct span *span)
{
    size_t notes_size;
    _Atomic uint32_t *notes = notes_detach(span, &notes_size);
    if (span_state(span) == SPAN_DIRECT) {
        direct_give(span);
    } else {
        page_heap_keep(span);
        page_heap_balance();
    }
    notes_drop(notes, notes_size);
}

bool large_resize(struct span *span, size_t size, bool may_move)
{
    size_t page_count = large_size_for(size) >> PAGE_SHIFT;
    if (span_state(span) == SPAN_DIRECT) {
        return direct_resize(span, page_count, may_move);
    }
    if (page_count < span->page_count) {
        // Shrinking by less than an eighth keeps the pages, up to 1 MiB: a later growth finds them.
        size_t spare = span->page_count - page_count;
        if (spare < span->page_count / 8 && spare < SPARE_PAGES_MAX) return true;
        (void)page_heap_resize(span, page_count); // no memory for the rest's struct: it stays
        page_heap_balance();
        return true;
    }
    return page_heap_resize(span, page_count);
}

// Moves the pages to a target of at least the size, or says no and takes care of the target.
static bool move_pages(const struct span *span, struct span *target)
{
    switch (pages_move((void *)span->base, span->size, (void *)target->base)) {
    case PAGES_MOVED: return true;
    case PAGES_STAYED: page_heap_give_clean(target); return false;
    case PAGES_TARGET_LOST:
        page_heap_forget(target);
        atomic_store_explicit(&state.moves, MOVES_MAX, memory_order_relaxed); // not here, then
        return false;
    }
    return false;
}

struct span *large_move(struct span *span, size_t size)
{
    size_t page_count = large_size_for(size) >> PAGE_SHIFT;
    if (span_state(span) != SPAN_LARGE || span->size < MOVE_SIZE_MIN) return NULL;
    if (page_count <= span->page_count) return NULL;
    if (atomic_load_explicit(&state.moves, memory_order_relaxed) >= MOVES_MAX) return NULL;
    struct span *target = page_heap_take(page_count, PAGE_SIZE, PAGES_BARE);
    if (!target) return NULL;
    if (!move_pages(span, target)) return NULL;
    atomic_fetch_add_explicit(&state.moves, 1, memory_order_relaxed);
    target->is_dirty = true;
    (void)publish(target);
    size_t notes_size;
    _Atomic uint32_t *notes = notes_detach(span, &notes_size);
    page_heap_give_clean(span);
    notes_drop(notes, notes_size);
    return target;
}
