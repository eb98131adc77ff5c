#include "heap_check.h"

#include <stdlib.h>

enum { GRANULES_MAX = SPAN_PAGES_MAX * CELLS_PER_PAGE * 64 };

// --- one span by itself
// ----------------------------------------------------------------------------

static void check_shape(const struct span *span)
{
    HOLDS(span->class > 0 && span->class < CLASS_COUNT, span);
    HOLDS(span->block_size == size_class_size(span->class), span);
    HOLDS(span->page_count <= SPAN_PAGES_MAX, span);
    HOLDS(span->capacity == span->size / span->block_size, span);
    HOLDS(span->capacity > 0, span);
    HOLDS(span->touched_pages <= span->page_count, span);
    HOLDS(span->plane != NULL && (uintptr_t)span->plane % CACHE_LINE == 0, span);
    HOLDS(span_cell(span, span->base) == span->plane, span);
    HOLDS(span_cell(span, span->base + span->size - 1) ==
              span->plane + span->page_count * CELLS_PER_PAGE - 1,
          span);
    HOLDS(span->owner != NULL, span);
    HOLDS(span->fast_owner == NULL || span->fast_owner == span->owner, span);
    HOLDS(span->purged_pages >> span->page_count == 0, span);
}

// No block in use stands on a page that is said to be purged.
static void check_not_purged(const struct span *span, size_t offset)
{
    for (size_t page = offset >> PAGE_SHIFT; page <= (offset + span->block_size - 1) >> PAGE_SHIFT;
         page++) {
        HOLDS((span->purged_pages >> page & 1) == 0, span);
    }
}

void check_small(const struct span *span, struct heap_census *census)
{
    check_shape(span);
    for (size_t i = 0; i < span->page_count * CELLS_PER_PAGE; i++) {
        uint64_t live = span->plane[i].live;
        uint64_t pending = span->plane[i].pending;
        HOLDS((pending & ~live) == 0, span);
        HOLDS((pending != 0) == (span->announced >> i & 1), span);
        census->pending_blocks += (size_t)__builtin_popcountl(pending);
        for (uint64_t rest = live; rest; rest &= rest - 1) {
            size_t offset = (i * 64 + (size_t)__builtin_ctzl(rest)) * GRANULE;
            HOLDS(offset % span->block_size == 0, span);
            HOLDS(offset / span->block_size < span->capacity, span);
            HOLDS(span_index(span, span->base + offset) == offset / span->block_size, span);
            HOLDS(offset >> PAGE_SHIFT < span->touched_pages, span);
            if (pending & (rest & -rest)) continue;
            check_not_purged(span, offset);
            census->live_blocks++;
            census->live_bytes += span->block_size;
        }
    }
}

// --- bins
// -----------------------------------------------------------------------------------------

// The heaps that own spans, and those seen before: one without a span may have spans announced to
// it.
static struct {
    struct thread_heap **heaps;
    size_t count;
    size_t room;
} known;

static void know_heap(struct thread_heap *heap)
{
    for (size_t i = 0; i < known.count; i++) {
        if (known.heaps[i] == heap) return;
    }
    if (known.count == known.room) {
        known.room = known.room ? 2 * known.room : 64;
        known.heaps = realloc(known.heaps, known.room * sizeof *known.heaps);
        if (!known.heaps) abort();
    }
    known.heaps[known.count++] = heap;
}

// Marks of a span set: in how many places the span was found, and in how many announcements.
enum { MARK_LISTED = 1, MARK_ANNOUNCED = 16 };

static void mark(struct span_set *small, const struct span *span, uint8_t by)
{
    size_t i = span_set_find(small, span);
    HOLDS(i != SIZE_MAX, NULL); // a list leads to what is no small span
    small->marks[i] = (uint8_t)(small->marks[i] + by);
}

static uint32_t count_live(const struct span *span)
{
    uint32_t count = 0;
    for (size_t i = 0; i < span->page_count * CELLS_PER_PAGE; i++) {
        count += (uint32_t)__builtin_popcountl(span->plane[i].live);
    }
    return count;
}

// Blocks of a free list: of the bin's cells, free, each once.
static uint32_t check_free_list(const struct bin *bin, const struct span *span, void **list,
                                uint64_t *seen)
{
    uint32_t count = 0;
    for (; list; list = *list, count++) {
        uintptr_t block = (uintptr_t)list;
        HOLDS(block - bin->start < bin->range, span);
        size_t offset = block - span->base;
        HOLDS(offset < span->size && offset % span->block_size == 0, span);
        HOLDS(offset / span->block_size < span->capacity, span);
        HOLDS((span_cell(span, block)->live & span_bit(block)) == 0, span);
        size_t granule = offset >> GRANULE_SHIFT;
        HOLDS((seen[granule / 64] >> granule % 64 & 1) == 0, span);
        seen[granule / 64] |= UINT64_C(1) << granule % 64;
    }
    return count;
}

// A free block of a touched page that is on no list has its cell marked. `listed` has a bit for the
// first granule of each block on a list.
static void check_marks(const struct span *span, const uint64_t *listed)
{
    for (uint32_t i = 0; i < span->capacity; i++) {
        uintptr_t block = span_block(span, i);
        size_t granule = (block - span->base) >> GRANULE_SHIFT;
        if (block >= span->base + ((size_t)span->touched_pages << PAGE_SHIFT)) return;
        bool is_live = span_cell(span, block)->live & span_bit(block);
        bool is_listed = listed[granule / 64] >> granule % 64 & 1;
        bool is_marked = span->freed_cells & span_cell_mark(block);
        HOLDS(is_live || is_listed || is_marked, span);
    }
}

static void check_current(struct thread_heap *heap, unsigned class, struct span_set *small)
{
    const struct bin *bin = &heap->bins[class];
    const struct span *span = heap->reserves[class].current;
    void *withheld = heap->reserves[class].withheld;
    if (!span) {
        HOLDS(bin->free == NULL && withheld == NULL && bin->range == 0, NULL);
        return;
    }
    mark(small, span, MARK_LISTED);
    HOLDS(span_state(span) == SPAN_CURRENT, span);
    HOLDS(span->owner == heap && span->class >= class, span);
    HOLDS(span->block_size <= 2 * size_class_size(class), span);
    HOLDS(bin->block_size == span->block_size, span);
    HOLDS(span->bin == bin, span);
    HOLDS(span->busy == 1 && span->bias == 0, span);
    HOLDS(bin->plane_bias == span->plane_bias, span);
    HOLDS(bin->start - span->base < span->size, span);
    HOLDS(bin->start - span->base + bin->range <= span->size, span);
    HOLDS(bin->start % CELL_SIZE == 0 && bin->range % CELL_SIZE == 0, span);
    uint64_t seen[GRANULES_MAX / 64] = {0};
    uint32_t listed = check_free_list(bin, span, bin->free, seen);
    listed += check_free_list(bin, span, withheld, seen);
    HOLDS(count_live(span) + listed == span->count, span);
    check_marks(span, seen);
}

static void check_reserve(struct thread_heap *heap, unsigned class, struct span_set *small)
{
    const struct bin_reserve *reserve = &heap->reserves[class];
    const struct span *growing = reserve->growing;
    if (growing) {
        mark(small, growing, MARK_LISTED);
        HOLDS(span_state(growing) == SPAN_GROWING, growing);
        HOLDS(growing->touched_pages < growing->page_count, growing);
        HOLDS(growing->owner == heap && growing->class == class, growing);
    }
    const struct list *head = &reserve->partial;
    for (const struct list *node = head->next; node && node != head; node = node->next) {
        struct span *span = LIST_ENTRY(node, struct span, link);
        mark(small, span, MARK_LISTED);
        HOLDS(node->next->previous == node, span);
        HOLDS(span_state(span) == SPAN_PARTIAL, span);
        HOLDS(span->owner == heap && span->class == class, span);
    }
}

// Counts of a span that no bin allocates from.
static void check_counts(const struct span *span)
{
    uint32_t live = count_live(span);
    HOLDS(span->busy == 0, span);
    HOLDS(live == span_used(span), span);
    check_marks(span, (uint64_t[GRANULES_MAX / 64]){0});
    if (span_state(span) == SPAN_FULL) {
        HOLDS(span->count == 1 && span->bias == 0, span);
    } else {
        HOLDS(live < span->capacity, span);
        HOLDS(span->count > 0 || span->bias == 0, span); // else nobody would notice the last free
    }
}

void check_bins(struct span_set *small)
{
    if (thread_heap != &thread_heap_none) know_heap(thread_heap);
    for (size_t i = 0; i < small->count; i++) know_heap(small->spans[i]->owner);
    for (size_t i = 0; i < known.count; i++) {
        struct thread_heap *heap = known.heaps[i];
        for (unsigned class = 0; class < CLASS_COUNT; class ++) {
            check_current(heap, class, small);
            check_reserve(heap, class, small);
            HOLDS(!heap->is_idle || !heap->reserves[class].current, NULL);
            HOLDS(!thread_heap_none.bins[class].free, NULL);
            HOLDS(thread_heap_none.bins[class].range == 0, NULL);
        }
        for (struct span *span = heap->announced; span; span = span->announced_next) {
            mark(small, span, MARK_ANNOUNCED);
        }
    }
    for (size_t i = 0; i < small->count; i++) {
        const struct span *span = small->spans[i];
        uint8_t listed = span_state(span) == SPAN_FULL ? 0 : MARK_LISTED;
        uint8_t announced = span->announced ? MARK_ANNOUNCED : 0;
        HOLDS(small->marks[i] == listed + announced, span);
        if (span_state(span) != SPAN_CURRENT) check_counts(span);
    }
}
