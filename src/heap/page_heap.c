#include "heap/page_heap.h"

#include "heap/purge_policy.h"
#include "heap/reclaim.h"
#include "heap/run_bins.h"
#include "heap/run_cache.h"
#include "heap/span_map.h"
#include "os/clock.h"
#include "os/lock.h"

enum {
    RUNS_PER_PURGE = 16, // detached at a time: bounds what is missing from the bins meanwhile
};

// A fresh segment is an eighth of what there is, within these: small programs stay small (and live
// under ulimit -v), large ones ask seldom. Untouched pages cost address space only.
#define SEGMENT_SIZE_MIN ((size_t)1 << 20)
#define SEGMENT_SIZE_MAX ((size_t)16 << 20)
// From so many dirty bytes on each free looks whether the helper should come.
#define HELPER_DIRTY_MIN ((size_t)16 << 20)
// Purged runs from this size on are unmapped: the address space serves others (ulimit -v).
#define UNMAP_SIZE_MIN ((size_t)1 << 20)

static struct {
    struct lock lock;
    bool is_ready;
    struct run_bins dirty;
    struct run_bins clean;
    struct run_cache cache; // dirty too
    struct list by_age;     // dirty runs, oldest first
    size_t mapped_bytes;    // of segments
    size_t resting_bytes;   // being purged
    size_t peak_bytes;      // of mapped_bytes
    _Atomic bool is_due;    // dirty runs need a look: see page_heap_balance()
    struct purge_policy policy;
} heap = {.policy.keep_bytes = (size_t)1 << 20};

static void prepare(void)
{
    if (LIKELY(heap.is_ready)) return;
    run_bins_init(&heap.dirty);
    run_bins_init(&heap.clean);
    list_init(&heap.by_age);
    heap.is_ready = true;
}

static struct run_bins *bins_of(const struct span *run)
{
    return run->is_dirty ? &heap.dirty : &heap.clean;
}

// Out of bins and map, ready to change its extent.
static void detach_run(struct span *run)
{
    run_bins_remove(bins_of(run), run);
    if (run->is_dirty) list_remove(&run->age);
    span_map_remove(run);
}

// The free run in that slot if it can merge with one of that kind.
static struct span *mergeable(uintptr_t address, bool is_dirty)
{
    struct span *run = address >> SPAN_MAP_ADDRESS_BITS ? NULL : span_map_peek(address);
    if (!run || span_state(run) != SPAN_FREE || run->is_dirty != is_dirty) return NULL;
    return run;
}

// Makes a detached span a free run, merged with its neighbours.
static void insert_run(struct span *run)
{
    struct span *before = mergeable(run->base - 1, run->is_dirty);
    if (before) {
        detach_run(before);
        span_set_extent(run, before->base, before->size + run->size);
        span_destroy(before);
    }
    struct span *after = mergeable(run->base + run->size, run->is_dirty);
    if (after) {
        detach_run(after);
        span_set_extent(run, run->base, run->size + after->size);
        span_destroy(after);
    }
    span_set_state(run, SPAN_FREE);
    run_bins_add(bins_of(run), run);
    if (run->is_dirty) list_add_last(&heap.by_age, &run->age);
    span_map_add(run);
}

// Cuts [start, start + size) out of a detached run; what is left over goes back to the bins.
// Without memory for the struct of what is behind, the taker gets that too; without one for what is
// before, false: the run is whole and free again.
static bool carve(struct span *run, uintptr_t start, size_t size)
{
    if (start > run->base) {
        struct span *front = span_create(run->base, start - run->base, run->is_dirty);
        if (!front) {
            insert_run(run);
            return false;
        }
        front->freed_ms = run->freed_ms;
        span_set_extent(run, start, run->size - front->size);
        insert_run(front);
    }
    uintptr_t end = start + size;
    uintptr_t run_end = run->base + run->size;
    if (end < run_end) {
        struct span *back = span_create(end, run_end - end, run->is_dirty);
        if (back) {
            back->freed_ms = run->freed_ms;
            span_set_extent(run, run->base, run->size - back->size);
            insert_run(back);
        }
    }
    return true;
}

// A new segment that holds at least `size` bytes, as a clean free run.
static bool grow(size_t size)
{
    size_t wanted = heap.mapped_bytes / 8;
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
    heap.mapped_bytes += wanted;
    if (heap.mapped_bytes > heap.peak_bytes) heap.peak_bytes = heap.mapped_bytes;
    insert_run(run);
    return true;
}

static void free_locked(struct span *span, uint64_t now_ms)
{
    span_map_remove(span);
    span->is_dirty = true;
    span->freed_ms = now_ms;
    atomic_store_explicit(&span->owner, NULL, memory_order_relaxed);
    insert_run(span);
}

// True when something came out.
static bool flush_cache(void)
{
    if (heap.cache.bytes == 0) return false;
    struct span *run;
    while ((run = run_cache_take_any(&heap.cache))) free_locked(run, run->freed_ms);
    return true;
}

static struct span *find_run(size_t page_count, enum page_wish wish)
{
    struct run_bins *first = wish == PAGES_ANY ? &heap.dirty : &heap.clean;
    struct run_bins *second = wish == PAGES_ANY ? &heap.clean : &heap.dirty;
    struct span *run = run_bins_find(first, page_count);
    if (!run && wish == PAGES_ANY && flush_cache()) run = run_bins_find(first, page_count);
    return run || wish == PAGES_BARE ? run : run_bins_find(second, page_count);
}

// Bytes of segments that spans have.
static size_t used_bytes(void)
{
    return heap.mapped_bytes - heap.dirty.bytes - heap.cache.bytes - heap.clean.bytes -
           heap.resting_bytes;
}

static void note_used(void)
{
    purge_policy_note_used(&heap.policy, used_bytes());
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
    detach_run(run);
    if (!carve(run, align_up(run->base, align), page_count << PAGE_SHIFT)) return NULL;
    if (wish != PAGES_BARE) note_used(); // else when what it replaces is given back
    span_set_state(run, SPAN_UNUSED);
    return run;
}

struct span *page_heap_take(size_t page_count, size_t align, enum page_wish wish)
{
    lock_take(&heap.lock);
    prepare();
    struct span *run = take_locked(page_count, align, wish);
    lock_give(&heap.lock);
    return run;
}

struct span *page_heap_take_some(size_t page_count, size_t least)
{
    lock_take(&heap.lock);
    prepare();
    if (!run_bins_find(&heap.dirty, page_count)) {
        (void)flush_cache(); // it may hold what is wanted
        if (!run_bins_find(&heap.dirty, page_count)) {
            const struct span *run = run_bins_find_shorter(&heap.dirty, least, page_count);
            if (run) page_count = run->page_count;
        }
    }
    struct span *run = take_locked(page_count, PAGE_SIZE, PAGES_ANY);
    lock_give(&heap.lock);
    return run;
}

void page_heap_publish(struct span *span)
{
    lock_take(&heap.lock);
    span_map_add(span);
    lock_give(&heap.lock);
}

static size_t dirty_limit(uint64_t now_ms)
{
    return purge_policy_limit(&heap.policy, used_bytes(), now_ms);
}

// Whether dirty runs need a look, now that there are more: see page_heap_balance().
static void note_due(uint64_t now_ms)
{
    size_t dirty = heap.dirty.bytes + heap.cache.bytes;
    bool is_due = dirty > dirty_limit(now_ms) || dirty > HELPER_DIRTY_MIN;
    atomic_store_explicit(&heap.is_due, is_due, memory_order_relaxed);
}

void page_heap_give(struct span *span)
{
    uint64_t now_ms = clock_coarse_ms();
    lock_take(&heap.lock);
    free_locked(span, now_ms);
    note_due(now_ms);
    lock_give(&heap.lock);
}

void page_heap_give_clean(struct span *span)
{
    lock_take(&heap.lock);
    span_map_remove(span);
    span->is_dirty = false;
    atomic_store_explicit(&span->owner, NULL, memory_order_relaxed);
    insert_run(span);
    note_used();
    lock_give(&heap.lock);
}

void page_heap_forget(struct span *span)
{
    lock_take(&heap.lock);
    heap.mapped_bytes -= span->size;
    span_destroy(span);
    lock_give(&heap.lock);
}

void page_heap_keep(struct span *span)
{
    uint64_t now_ms = clock_coarse_ms();
    span->freed_ms = now_ms;
    span->is_dirty = true;
    lock_take(&heap.lock);
    // Half of what may be dirty, and one more: page_heap_balance() looks to the whole.
    struct span *surplus = span;
    if (heap.cache.bytes <= dirty_limit(now_ms) / 2) {
        surplus = run_cache_keep(&heap.cache, span);
    }
    if (surplus) free_locked(surplus, now_ms);
    note_due(now_ms);
    lock_give(&heap.lock);
}

struct span *page_heap_take_kept(size_t page_count)
{
    lock_take(&heap.lock);
    struct span *span = run_cache_take(&heap.cache, page_count);
    lock_give(&heap.lock);
    return span;
}

void page_heap_balance(void)
{
    if (LIKELY(!atomic_load_explicit(&heap.is_due, memory_order_relaxed))) return;
    atomic_store_explicit(&heap.is_due, false, memory_order_relaxed);
    uint64_t now_ms = clock_coarse_ms();
    lock_take(&heap.lock);
    size_t dirty = heap.dirty.bytes + heap.cache.bytes;
    size_t limit = dirty_limit(now_ms);
    lock_give(&heap.lock);
    // An eighth below the limit, so that the next free does not come here again at once.
    if (dirty > limit) (void)page_heap_purge(limit - limit / 8, UINT64_MAX);
    reclaim_consider(dirty < limit ? dirty : limit);
}

// Takes up to RUNS_PER_PURGE of the oldest runs out of bins and map.
static unsigned detach_oldest(struct span **runs, size_t keep, uint64_t freed_ms_max)
{
    unsigned count = 0;
    while (count < RUNS_PER_PURGE && heap.dirty.bytes > keep && !list_is_empty(&heap.by_age)) {
        struct span *run = LIST_ENTRY(heap.by_age.next, struct span, age);
        if (run->freed_ms > freed_ms_max) break;
        run_bins_remove(&heap.dirty, run);
        list_remove(&run->age);
        span_map_remove(
            run); // nobody merges with it meanwhile, and what is unmapped leaves no trace
        span_set_state(run, SPAN_RESTING);
        heap.resting_bytes += run->size;
        runs[count++] = run;
    }
    return count;
}

// What was purged is a clean run now; what was unmapped is nothing.
static void settle(struct span *run, bool is_unmapped)
{
    heap.resting_bytes -= run->size;
    if (is_unmapped) {
        heap.mapped_bytes -= run->size;
        span_destroy(run);
        return;
    }
    run->is_dirty = false;
    insert_run(run);
}

size_t page_heap_purge(size_t keep, uint64_t freed_ms_max)
{
    size_t purged_bytes = 0;
    struct span *runs[RUNS_PER_PURGE];
    bool is_unmapped[RUNS_PER_PURGE];
    for (;;) {
        lock_take(&heap.lock);
        prepare();
        (void)flush_cache(); // whether it was empty or not
        unsigned count = detach_oldest(runs, keep, freed_ms_max);
        lock_give(&heap.lock);
        if (count == 0) return purged_bytes;
        for (unsigned i = 0; i < count; i++) {
            is_unmapped[i] = false;
            if (runs[i]->size >= UNMAP_SIZE_MIN) {
                is_unmapped[i] = pages_unmap((void *)runs[i]->base, runs[i]->size);
            } else {
                pages_purge((void *)runs[i]->base, runs[i]->size);
            }
            purged_bytes += runs[i]->size;
        }
        lock_take(&heap.lock);
        for (unsigned i = 0; i < count; i++) settle(runs[i], is_unmapped[i]);
        lock_give(&heap.lock);
    }
}

// Unmaps clean runs, under the lock: nothing else is left to do. Stops at the first that the kernel
// refuses, for want of mappings.
static void unmap_clean(void)
{
    struct span *run;
    while ((run = run_bins_peek(&heap.clean))) {
        detach_run(run);
        if (!pages_unmap((void *)run->base, run->size)) {
            insert_run(run);
            return;
        }
        heap.mapped_bytes -= run->size;
        span_destroy(run);
    }
}

static bool relieve(void)
{
    size_t mapped_bytes = heap.mapped_bytes;
    unmap_clean();
    if (heap.dirty.bytes + heap.cache.bytes > 0) {
        lock_give(&heap.lock);
        (void)page_heap_purge(0, UINT64_MAX);
        lock_take(&heap.lock);
        unmap_clean();
    }
    return heap.mapped_bytes <
           mapped_bytes; // others may have mapped more meanwhile: then it is theirs
}

bool page_heap_relieve(void)
{
    lock_take(&heap.lock);
    prepare();
    bool gained = relieve();
    lock_give(&heap.lock);
    return gained;
}

static bool extend(struct span *span, size_t page_count)
{
    uintptr_t end = span->base + span->size;
    size_t wanted = (page_count << PAGE_SHIFT) - span->size;
    struct span *run = end >> SPAN_MAP_ADDRESS_BITS ? NULL : span_map_peek(end);
    if (!run || span_state(run) != SPAN_FREE || run->base != end || run->size < wanted)
        return false;
    detach_run(run);
    (void)carve(run, run->base, wanted); // from its start: cannot fail
    note_used();
    span_set_extent(span, span->base, span->size + run->size);
    span->is_dirty = span->is_dirty || run->is_dirty;
    span_destroy(run);
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
    insert_run(rest);
    return true;
}

bool page_heap_resize(struct span *span, size_t page_count)
{
    if (page_count == span->page_count) return true;
    uint64_t now_ms =
        clock_coarse_ms(); // not under the lock: the program may have replaced the clock
    lock_take(&heap.lock);
    bool done =
        page_count > span->page_count ? extend(span, page_count) : shrink(span, page_count, now_ms);
    lock_give(&heap.lock);
    return done;
}

struct span *page_heap_next_small(uintptr_t address)
{
    lock_take(&heap.lock);
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
    lock_take(&heap.lock);
    struct page_heap_figures figures = {
        .mapped_bytes = heap.mapped_bytes,
        .dirty_bytes = heap.dirty.bytes + heap.cache.bytes + heap.resting_bytes,
        .clean_bytes = heap.clean.bytes,
        .dirty_keep = heap.policy.keep_bytes,
        .peak_bytes = heap.peak_bytes,
    };
    lock_give(&heap.lock);
    return figures;
}

void page_heap_set_dirty_keep(size_t bytes)
{
    lock_take(&heap.lock);
    heap.policy.keep_bytes = bytes;
    lock_give(&heap.lock);
}

void page_heap_lock(void)
{
    lock_take(&heap.lock);
}

bool page_heap_try_lock(void)
{
    return lock_try(&heap.lock);
}

void page_heap_unlock(void)
{
    lock_give(&heap.lock);
}
