#include "heap/reclaim.h"

#include "heap/page_heap.h"
#include "os/brief_thread.h"
#include "os/clock.h"
#include "os/thread.h"

enum {
    ROUNDS_MAX = 8,      // the helper of a busy process ends too
    END_TRIES_MAX = 100, // of a millisecond
    RETRY_MS = 1000,     // after a helper could not be made
    FINISH_MS = 1000,    // before its work is done in its stead again (guess)
};

// Less than this is not worth a thread.
#define DUE_BYTES_MIN ((size_t)32 << 20)

static struct {
    _Atomic bool use_helper;
    _Atomic unsigned delay_ms;
    _Atomic size_t hole_bytes; // estimated, since the last look
    _Atomic uint64_t retry_ms;
    _Atomic bool is_owed; // a helper was ended before it was done
    _Atomic uint64_t finished_ms;
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
    struct span *span;
    uintptr_t address = 0;
    page_heap_begin_walk();
    while ((span = page_heap_next_small(address))) {
        address = span->base + span->size; // while it is busy, and so stays what it is
        purged_bytes += purge_holes(span);
        span_give_busy(span);
    }
    page_heap_end_walk();
    return purged_bytes;
}

// Returns what was freed at `freed_ms_max` or before. Whether to look again.
static bool look(uint64_t freed_ms_max)
{
    struct page_heap_figures before = page_heap_figures();
    size_t purged = page_heap_purge(before.dirty_keep, freed_ms_max);
    bool had_holes = atomic_exchange_explicit(&state.hole_bytes, 0, memory_order_relaxed) > 0;
    if (had_holes) purged += reclaim_holes();
    bool is_quiet = atomic_load_explicit(&state.hole_bytes, memory_order_relaxed) == 0;
    return page_heap_figures().dirty_bytes >= DUE_BYTES_MIN || purged > 0 || !is_quiet;
}

// The helper's life. Nothing in it touches thread-local storage. In the last round nothing is left
// to rest: who knows whether another helper comes.
static void work(void)
{
    for (int round = 1; round <= ROUNDS_MAX; round++) {
        unsigned delay_ms = atomic_load_explicit(&state.delay_ms, memory_order_relaxed);
        brief_thread_sleep_ms(delay_ms);
        if (brief_thread_must_end()) return;
        uint64_t rested_ms = clock_coarse_ms_direct() - delay_ms;
        if (!look(round < ROUNDS_MAX ? rested_ms : UINT64_MAX)) return;
    }
}

void reclaim_configure(bool use_helper, unsigned delay_ms)
{
    if (use_helper) brief_thread_allow();
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
    if (due < DUE_BYTES_MIN && !atomic_load_explicit(&state.is_owed, memory_order_relaxed)) return;
    if (!atomic_load_explicit(&state.use_helper, memory_order_relaxed)) return;
    uint64_t now_ms = clock_coarse_ms_direct(); // the caller may hold a lock
    if (now_ms < atomic_load_explicit(&state.retry_ms, memory_order_relaxed)) return;
    atomic_store_explicit(&state.is_owed, false, memory_order_relaxed);
    if (brief_thread_is_running() || brief_thread_run(work)) return;
    if (brief_thread_is_running()) return; // another thread was quicker
    atomic_store_explicit(&state.is_owed, true, memory_order_relaxed);
    atomic_store_explicit(&state.retry_ms, now_ms + RETRY_MS, memory_order_relaxed);
}

// Ends the helper. Not for ever: this may be a handler of the very thread that holds the lock that
// it waits for. Then it ends by itself as soon as it can.
static void end_helper(void)
{
    for (int i = 0; i < END_TRIES_MAX && !brief_thread_end() && !thread_is_alone(); i++) {
        clock_sleep_ms(1);
    }
}

void reclaim_pause(void)
{
    brief_thread_hold_off();
    if (brief_thread_is_running()) atomic_store(&state.is_owed, true);
    end_helper();
}

// Takes no lock: it may be called in a handler that interrupted whoever holds it.
void reclaim_resume(void)
{
    brief_thread_let_come();
    if (!atomic_load_explicit(&state.use_helper, memory_order_relaxed)) return;
    if (!atomic_exchange(&state.is_owed, false)) return;
    // In a vforked child none can be made, and its parent still has a claim to one.
    if (!brief_thread_run(work) && !brief_thread_is_running()) atomic_store(&state.is_owed, true);
}

// Whether the page heap's lock is to be had: else others hold it, or what this thread was
// interrupted in.
static bool is_unlocked(void)
{
    bool is_free = page_heap_try_lock();
    if (is_free) page_heap_unlock();
    return is_free;
}

void reclaim_finish(void)
{
    if (!brief_thread_is_running()) return;
    brief_thread_hold_off();
    bool has_ended = brief_thread_end();
    brief_thread_let_come();
    if (!has_ended) return; // it goes on
    uint64_t now_ms = clock_coarse_ms_direct();
    uint64_t finished_ms = atomic_load_explicit(&state.finished_ms, memory_order_relaxed);
    if (now_ms < finished_ms + FINISH_MS || !is_unlocked()) {
        atomic_store(&state.is_owed, true); // who forks that often frees again soon
        return;
    }
    atomic_store_explicit(&state.finished_ms, now_ms, memory_order_relaxed);
    (void)look(UINT64_MAX);
}

void reclaim_fork_child(void)
{
    brief_thread_forget();
    atomic_store_explicit(&state.retry_ms, 0, memory_order_relaxed);
    atomic_store_explicit(&state.is_owed, false, memory_order_relaxed);
}
