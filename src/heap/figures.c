#include "heap/direct.h"
#include "heap/heap.h"
#include "heap/large.h"
#include "heap/metadata.h"
#include "heap/page_heap.h"
#include "heap/span_map.h"

// Blocks handed out in a span, as far as its counts tell: blocks on a free list or pending count
// too.
static uint32_t used_blocks(const struct span *span)
{
    uint32_t used = span_used(span); // racy: another thread may be between two of its counts
    return used <= span->capacity ? used : span->capacity;
}

static bool is_in_use(const struct span *span)
{
    if (span_state(span) == SPAN_LARGE) return span->announced != 0; // else it is kept, free
    return span_state(span) >= SPAN_CURRENT && span_state(span) <= SPAN_FULL;
}

void heap_stats(struct heap_stats *stats_out)
{
    struct page_heap_figures pages = page_heap_figures();
    struct direct_figures direct = direct_figures();
    struct heap_stats stats = {
        .mapped_bytes = pages.mapped_bytes,
        .free_dirty_bytes = pages.dirty_bytes,
        .free_clean_bytes = pages.clean_bytes,
        .direct_bytes = direct.bytes,
        .direct_blocks = direct.count,
        .metadata_bytes = metadata_bytes(),
        .mapped_bytes_peak = pages.peak_bytes,
    };
    page_heap_lock();
    for (struct span *span = span_map_next(0); span;
         span = span_map_next(span->base + span->size)) {
        if (!is_in_use(span)) continue;
        bool is_small = span_is_small(span);
        uint32_t used = is_small ? used_blocks(span) : 1;
        stats.live_blocks += used;
        stats.live_block_bytes += is_small ? (size_t)used * span->block_size : span->size;
    }
    page_heap_unlock();
    *stats_out = stats;
}

size_t heap_class_stats(struct heap_class_stats *rows_out, size_t max)
{
    size_t count = CLASS_COUNT - 1; // class 0 is none
    for (size_t i = 0; i < count && i < max; i++) {
        rows_out[i] = (struct heap_class_stats){.block_size = size_class_size((unsigned)i + 1)};
    }
    page_heap_lock();
    for (struct span *span = span_map_next(0); span;
         span = span_map_next(span->base + span->size)) {
        if (!is_in_use(span) || !span_is_small(span) || span->class > max) continue;
        struct heap_class_stats *row = &rows_out[span->class - 1];
        row->spans++;
        row->live_blocks += used_blocks(span);
        row->free_blocks += span->capacity - used_blocks(span);
    }
    page_heap_unlock();
    return count;
}
