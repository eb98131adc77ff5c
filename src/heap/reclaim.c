#include "heap/reclaim.h"

#include "heap/page_heap.h"
#include "os/clock.h"
#include "os/thread.h"

enum {
    ROUNDS_MAX = 8,  // the helper of a busy process ends too; the next free makes another
    RETRY_MS = 1000, // after a helper could not be made
};

// Less than this is not worth a thread.
#define DUE_BYTES_MIN ((size_t)32 << 20)

static struct {
    _Atomic bool use_helper;
    _Atomic unsigned delay_ms;
    _Atomic size_t hole_bytes; // estimated, since the last look
    _Atomic uint64_t retry_ms;
} state;

// The last page that a block starting in `page` reaches into, given the bits of blocks in use.
static unsigned last_page_of(const struct span *span, const uint64_t *used, unsigned page)
{
    for (unsigned i = CELLS_PER_PAGE; i-- > 0;) {
        if (!used[i]) continue;
        size_t granule = ((size_t)page * CELLS_PER_PAGE + i) * 64 + log2_floor(used[i]);
        return (unsigned)((granule * GRANULE + span->block_size - 1) >> PAGE_SHIFT);
    }
    return page;
}

// A bit per page of the span that no block in use stands on. Pending blocks are dead already.
static uint64_t find_holes(const struct span *span)
{
    uint64_t holes = 0;
    unsigned reached = 0; // pages below are reached by a block that starts before
    for (unsigned page = 0; page < span->page_count; page++) {
        uint64_t used[CELLS_PER_PAGE];
        uint64_t any = 0;
        for (unsigned i = 0; i < CELLS_PER_PAGE; i++) {
            const struct plane_cell *cell = &span->plane[page * CELLS_PER_PAGE + i];
            used[i] = atomic_load_explicit(&cell->live, memory_order_relaxed) &
                      ~atomic_load_explicit(&cell->pending, memory_order_acquire);
            any |= used[i];
        }
        if (!any && page >= reached) holes |= UINT64_C(1) << page;
        if (any) {
            unsigned end = last_page_of(span, used, page) + 1;
            if (end > reached) reached = end;
        }
    }
    return holes;
}

// Purges the holes of a busy span. Bytes.
static size_t purge_holes(struct span *span)
{
    uint64_t holes = find_holes(span) & ~span->purged_pages;
    size_t purged_bytes = 0;
    span->purged_pages |= holes;
    while (holes) {
        unsigned first = (unsigned)__builtin_ctzl(holes);
        unsigned count = (unsigned)__builtin_ctzl(~(holes >> first));
        size_t size = (size_t)count << PAGE_SHIFT;
        pages_purge((void *)(span->base + ((size_t)first << PAGE_SHIFT)), size);
        purged_bytes += size;
        holes &= ~(((UINT64_C(1) << count) - 1) << first);
    }
    return purged_bytes;
}

size_t reclaim_holes(void)
{
    size_t purged_bytes = 0;
    uintptr_t address = 0;
    for (;;) {
        struct span *span = page_heap_next_small(address);
        if (!span) return purged_bytes;
        address = span->base + span->size;
        purged_bytes += purge_holes(span);
        span_give_busy(span);
    }
}

// The helper's life. Nothing in it touches thread-local storage.
static void work(void)
{
    for (int round = 0; round < ROUNDS_MAX; round++) {
        unsigned delay_ms = atomic_load_explicit(&state.delay_ms, memory_order_relaxed);
        clock_sleep_ms(delay_ms);
        struct page_heap_figures before = page_heap_figures();
        size_t purged = page_heap_purge(before.dirty_keep, clock_coarse_ms() - delay_ms);
        if (atomic_exchange_explicit(&state.hole_bytes, 0, memory_order_relaxed) > 0) {
            purged += reclaim_holes();
        }
        struct page_heap_figures after = page_heap_figures();
        bool is_quiet = atomic_load_explicit(&state.hole_bytes, memory_order_relaxed) == 0;
        if (after.dirty_bytes < DUE_BYTES_MIN && purged == 0 && is_quiet) return;
    }
}

void reclaim_configure(bool use_helper, unsigned delay_ms)
{
    atomic_store_explicit(&state.delay_ms, delay_ms, memory_order_relaxed);
    atomic_store_explicit(&state.use_helper, use_helper, memory_order_relaxed);
}

void reclaim_add(size_t bytes)
{
    size_t due = atomic_fetch_add_explicit(&state.hole_bytes, bytes, memory_order_relaxed) + bytes;
    if (due >= DUE_BYTES_MIN) reclaim_consider(0);
}

void reclaim_consider(size_t dirty_bytes)
{
    size_t due = dirty_bytes + atomic_load_explicit(&state.hole_bytes, memory_order_relaxed);
    if (due < DUE_BYTES_MIN) return;
    if (!atomic_load_explicit(&state.use_helper, memory_order_relaxed)) return;
    uint64_t now_ms = clock_coarse_ms();
    if (now_ms < atomic_load_explicit(&state.retry_ms, memory_order_relaxed)) return;
    if (thread_brief_is_running() || thread_run_brief(work)) return;
    if (thread_brief_is_running()) return; // another thread was quicker
    atomic_store_explicit(&state.retry_ms, now_ms + RETRY_MS, memory_order_relaxed);
}

void reclaim_fork_child(void)
{
    thread_forget_brief();
    atomic_store_explicit(&state.retry_ms, 0, memory_order_relaxed);
}
