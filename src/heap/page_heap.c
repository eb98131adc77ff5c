#include "heap/page_heap.h"

#include "heap/page_store.h"
#include "heap/reclaim.h"
#include "heap/span_map.h"
#include "os/brief_thread.h"
#include "os/clock.h"
#include "os/lock.h"

// From so many dirty bytes on each free looks whether the helper should come.
#define HELPER_DIRTY_MIN ((size_t)16 << 20)

static struct {
    struct lock lock;
    bool is_in_order; // not before the first use, nor in some forked children: see put_in_order()
    bool is_ready;
    _Atomic unsigned walks; // through small spans, for their holes
    _Atomic bool is_due;    // the store needs a look: see page_heap_balance()
    struct page_store store;
} heap = {.store.policy.keep_bytes = (size_t)1 << 20};

static COLD void put_in_order(void);

// For what the helper calls too: while it waits, it can be known that it does (see reclaim.h).
static void lock_for_purge(void)
{
    if (UNLIKELY(!lock_try(&heap.lock))) {
        if (brief_thread_is_me()) {
            brief_thread_take(&heap.lock);
        } else {
            lock_wait(&heap.lock);
        }
    }
    if (UNLIKELY(!heap.is_in_order)) put_in_order();
}

// The lock, for whoever may also take metadata's.
static void take_lock(void)
{
    lock_take(&heap.lock);
    if (UNLIKELY(!heap.is_in_order)) put_in_order();
}

// Gives it back, with nothing left to bury.
static void give_lock(void)
{
    free_runs_reap(&heap.store.free);
    lock_give(&heap.lock);
}

void page_heap_note_direct(size_t bytes)
{
    heap.store.direct_bytes = bytes;
    page_store_note_mapped(&heap.store);
}

// A new segment that holds at least `size` bytes, as a clean free run.
static bool grow(size_t size)
{
    size_t wanted = heap.store.mapped_bytes / 8;
    if (wanted < SEGMENT_SIZE_MIN) wanted = SEGMENT_SIZE_MIN;
    if (wanted > SEGMENT_SIZE_MAX) wanted = SEGMENT_SIZE_MAX;
    wanted = align_up(wanted > size ? wanted : size, PAGE_SIZE);
    char *segment = pages_map(wanted);
    if (!segment && wanted > size) {
        wanted = size; // close to a limit every page counts
        segment = pages_map(wanted);
    }
    if (!segment) return false;
    struct span *run = NULL;
    if (span_map_reserve((uintptr_t)segment, wanted)) {
        run = span_create((uintptr_t)segment, wanted, false);
    }
    if (!run) {
        (void)pages_unmap(segment, wanted); // refused: untouched address space is lost
        return false;
    }
    heap.store.mapped_bytes += wanted;
    page_store_note_mapped(&heap.store);
    free_runs_insert(&heap.store.free, run);
    return true;
}

static struct span *find_run(size_t page_count, enum page_wish wish)
{
    struct run_bins *first = wish == PAGES_ANY ? &heap.store.free.dirty : &heap.store.free.clean;
    struct run_bins *second = wish == PAGES_ANY ? &heap.store.free.clean : &heap.store.free.dirty;
    struct span *run = run_bins_find(first, page_count);
    if (!run && wish == PAGES_ANY && page_store_flush_cache(&heap.store))
        run = run_bins_find(first, page_count);
    return run || wish == PAGES_BARE ? run : run_bins_find(second, page_count);
}

// Gives the address space of every free run back: the last resort before ENOMEM. Drops the lock
// meanwhile. False when none went.
static bool relieve(void);

static struct span *take_locked(size_t page_count, size_t align, enum page_wish wish)
{
    size_t slack_pages = (align >> PAGE_SHIFT) - 1; // so that a multiple of align lies inside
    size_t wanted = page_count + slack_pages;
    struct span *run = find_run(wanted, wish);
    while (!run) {
        if (!grow(wanted << PAGE_SHIFT) && !relieve()) return NULL;
        run = find_run(wanted, wish);
    }
    free_runs_detach(&heap.store.free, run);
    if (!free_runs_carve(&heap.store.free, run, align_up(run->base, align),
                         page_count << PAGE_SHIFT))
        return NULL;
    if (wish != PAGES_BARE)
        page_store_note_used(&heap.store); // else when what it replaces is given back
    span_set_state(run, SPAN_UNUSED);
    return run;
}

struct span *page_heap_take(size_t page_count, size_t align, enum page_wish wish)
{
    take_lock();
    struct span *run = take_locked(page_count, align, wish);
    give_lock();
    return run;
}

struct span *page_heap_take_some(size_t page_count, size_t least)
{
    take_lock();
    if (!run_bins_find(&heap.store.free.dirty, page_count)) {
        (void)page_store_flush_cache(&heap.store); // it may hold what is wanted
        if (!run_bins_find(&heap.store.free.dirty, page_count)) {
            const struct span *run =
                run_bins_find_shorter(&heap.store.free.dirty, least, page_count);
            if (run) page_count = run->page_count;
        }
    }
    struct span *run = take_locked(page_count, PAGE_SIZE, PAGES_ANY);
    give_lock();
    return run;
}

void page_heap_publish(struct span *span)
{
    take_lock();
    span_map_add(span);
    give_lock();
}

// Whether the store needs a look, now that more is free: see page_heap_balance().
static void note_due(uint64_t now_ms)
{
    size_t dirty = page_store_dirty(&heap.store);
    bool is_due = dirty > HELPER_DIRTY_MIN || page_store_has_surplus(&heap.store) ||
                  dirty > page_store_dirty_limit(&heap.store, now_ms);
    atomic_store_explicit(&heap.is_due, is_due, memory_order_relaxed);
}

void page_heap_give(struct span *span)
{
    uint64_t now_ms = clock_coarse_ms_direct(); // the caller may hold the lock of idle heaps
    take_lock();
    page_store_free(&heap.store, span, now_ms);
    note_due(now_ms);
    give_lock();
}

void page_heap_give_clean(struct span *span)
{
    take_lock();
    span_map_remove(span);
    span->is_dirty = false;
    atomic_store_explicit(&span->owner, NULL, memory_order_relaxed);
    free_runs_insert(&heap.store.free, span);
    page_store_note_used(&heap.store);
    if (page_store_has_surplus(&heap.store)) {
        atomic_store_explicit(&heap.is_due, true, memory_order_relaxed);
    }
    give_lock();
}

void page_heap_forget(struct span *span)
{
    take_lock();
    heap.store.mapped_bytes -= span->size;
    free_runs_bury(&heap.store.free, span);
    give_lock();
}

void page_heap_keep(struct span *span)
{
    uint64_t now_ms = clock_coarse_ms();
    span->freed_ms = now_ms;
    span->is_dirty = true;
    take_lock();
    // Half of what may be dirty, and one more: page_heap_balance() looks to the whole.
    struct span *surplus = span;
    if (heap.store.cache.bytes <= page_store_dirty_limit(&heap.store, now_ms) / 2) {
        surplus = run_cache_keep(&heap.store.cache, span);
    }
    if (surplus) page_store_free(&heap.store, surplus, now_ms);
    note_due(now_ms);
    give_lock();
}

struct span *page_heap_take_kept(size_t page_count)
{
    take_lock();
    struct span *span = run_cache_take(&heap.store.cache, page_count);
    give_lock();
    return span;
}

void page_heap_balance(void)
{
    if (LIKELY(!atomic_load_explicit(&heap.is_due, memory_order_relaxed))) return;
    atomic_store_explicit(&heap.is_due, false, memory_order_relaxed);
    uint64_t now_ms = clock_coarse_ms();
    take_lock();
    size_t dirty = page_store_dirty(&heap.store);
    size_t limit = page_store_dirty_limit(&heap.store, now_ms);
    bool has_surplus = page_store_has_surplus(&heap.store);
    give_lock();
    // An eighth below the limit, so that the next free does not come here again at once.
    if (dirty > limit) {
        (void)page_heap_purge(limit - limit / 8, UINT64_MAX);
    } else if (has_surplus) {
        (void)page_heap_purge(SIZE_MAX, 0);
    }
    reclaim_consider(dirty < limit ? dirty : limit);
}

size_t page_heap_purge(size_t keep, uint64_t freed_ms_max)
{
    size_t purged_bytes = 0;
    for (;;) {
        struct purge_batch batch = {.count = 0};
        lock_for_purge();
        if (page_store_dirty(&heap.store) > keep) (void)page_store_flush_cache(&heap.store);
        page_store_detach_dirty(&heap.store, &batch, keep, freed_ms_max);
        page_store_detach_surplus(&heap.store, &batch);
        lock_give(&heap.lock);
        if (batch.count == 0) return purged_bytes;
        purged_bytes += purge_batch_purge(&batch);
        lock_for_purge();
        page_store_settle_all(&heap.store, &batch);
        lock_give(&heap.lock);
    }
}

// Who was purging as this forked child was made is not here. A run whose unmapping had begun may be
// gone or not: its address space is given up. Small spans that were being looked through for holes
// are nobody's business any more.
static void adopt_orphans(void)
{
    while (!list_is_empty(&heap.store.resting.runs)) {
        struct span *run = LIST_ENTRY(heap.store.resting.runs.next, struct span, link);
        page_store_settle(&heap.store, run);
    }
    for (struct span *span = span_map_next(0); span;
         span = span_map_next(span->base + span->size)) {
        enum span_state state = span_state(span);
        if (state >= SPAN_GROWING && state <= SPAN_FULL) span_give_busy(span);
    }
    atomic_store_explicit(&heap.walks, 0, memory_order_relaxed);
}

// The first to take the lock, or the first in such a child of a lone thread.
static void put_in_order(void)
{
    if (heap.is_ready) adopt_orphans();
    if (!heap.is_ready) page_store_init(&heap.store);
    heap.is_ready = true;
    heap.is_in_order = true;
}

void page_heap_begin_walk(void)
{
    atomic_fetch_add(&heap.walks, 1);
}

void page_heap_end_walk(void)
{
    atomic_fetch_sub(&heap.walks, 1);
}

static bool has_orphans(void)
{
    return heap.store.resting.bytes > 0 || atomic_load(&heap.walks) > 0;
}

void page_heap_fork_child_locked(void)
{
    if (has_orphans()) adopt_orphans();
}

void page_heap_fork_child_alone(void)
{
    if (has_orphans()) heap.is_in_order = false;
}

// Unmaps clean runs, under the lock: nothing else is left to do. Stops at the first that the kernel
// refuses, for want of mappings.
static void unmap_clean(void)
{
    struct span *run;
    while ((run = run_bins_peek(&heap.store.free.clean))) {
        free_runs_detach(&heap.store.free, run);
        if (!pages_unmap((void *)run->base, run->size)) {
            free_runs_insert(&heap.store.free, run);
            return;
        }
        heap.store.mapped_bytes -= run->size;
        free_runs_bury(&heap.store.free, run);
    }
}

static bool relieve(void)
{
    size_t mapped_bytes = heap.store.mapped_bytes;
    unmap_clean();
    if (page_store_dirty(&heap.store) > 0) {
        give_lock();
        (void)page_heap_purge(0, UINT64_MAX);
        take_lock();
        unmap_clean();
    }
    return heap.store.mapped_bytes <
           mapped_bytes; // others may have mapped more meanwhile: then it is theirs
}

bool page_heap_relieve(void)
{
    take_lock();
    bool gained = relieve();
    give_lock();
    return gained;
}

static bool extend(struct span *span, size_t page_count)
{
    uintptr_t end = span->base + span->size;
    size_t wanted = (page_count << PAGE_SHIFT) - span->size;
    struct span *run = end >> SPAN_MAP_ADDRESS_BITS ? NULL : span_map_peek(end);
    if (!run || span_state(run) != SPAN_FREE || run->base != end || run->size < wanted)
        return false;
    free_runs_detach(&heap.store.free, run);
    (void)free_runs_carve(&heap.store.free, run, run->base, wanted); // from its start: cannot fail
    page_store_note_used(&heap.store);
    span_set_extent(span, span->base, span->size + run->size);
    span->is_dirty = span->is_dirty || run->is_dirty;
    free_runs_bury(&heap.store.free, run);
    span_map_add(span);
    return true;
}

static bool shrink(struct span *span, size_t page_count, uint64_t now_ms)
{
    size_t size = page_count << PAGE_SHIFT;
    struct span *rest = span_create(span->base + size, span->size - size, true);
    if (!rest) return false;
    rest->freed_ms = now_ms;
    span_set_state(rest, SPAN_LARGE); // every slot is its own until the map forgets it
    span_map_remove(rest);
    span_set_extent(span, span->base, size);
    free_runs_insert(&heap.store.free, rest);
    note_due(now_ms);
    return true;
}

bool page_heap_resize(struct span *span, size_t page_count)
{
    if (page_count == span->page_count) return true;
    uint64_t now_ms = clock_coarse_ms(); // before the lock: a program may replace the clock
    take_lock();
    bool done =
        page_count > span->page_count ? extend(span, page_count) : shrink(span, page_count, now_ms);
    give_lock();
    return done;
}

struct span *page_heap_next_small(uintptr_t address)
{
    lock_for_purge();
    struct span *span = span_map_next(address);
    while (span) {
        if (span_state(span) != SPAN_FREE && span_is_small(span) && span_try_busy(span)) break;
        span = span_map_next(span->base + span->size);
    }
    lock_give(&heap.lock);
    return span;
}

struct page_heap_figures page_heap_figures(void)
{
    lock_for_purge();
    struct page_heap_figures figures = {
        .mapped_bytes = heap.store.mapped_bytes,
        .dirty_bytes = page_store_dirty(&heap.store) + heap.store.resting.bytes,
        .clean_bytes = heap.store.free.clean.bytes,
        .dirty_keep = heap.store.policy.keep_bytes,
        .peak_bytes = heap.store.peak_bytes,
    };
    lock_give(&heap.lock);
    return figures;
}

static void set_policy(size_t keep_bytes, bool is_exact)
{
    take_lock();
    heap.store.policy.keep_bytes = keep_bytes;
    heap.store.policy.is_exact = is_exact;
    give_lock();
}

void page_heap_keep_recent(size_t bytes)
{
    set_policy(bytes, false);
}

void page_heap_keep_just(size_t bytes)
{
    set_policy(bytes, true);
}

void page_heap_lock(void)
{
    take_lock();
}

bool page_heap_try_lock(void)
{
    if (!lock_try(&heap.lock)) return false;
    if (UNLIKELY(!heap.is_in_order)) put_in_order();
    return true;
}

void page_heap_unlock(void)
{
    give_lock();
}
