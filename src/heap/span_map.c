#include "heap/span_map.h"

#include "heap/metadata.h"

_Atomic(struct span_slot *) span_map_root[SPAN_MAP_ROOT_SLOTS];

// The leaves there are stand in places [first, end) of the root: few next to one another, where the
// kernel maps, so that whoever goes through them need not go through all places.
static struct {
    size_t first;
    size_t end;
} leaves;

static void note_leaf(size_t place)
{
    if (leaves.end == 0 || place < leaves.first) leaves.first = place;
    if (place >= leaves.end) leaves.end = place + 1;
}

static struct span_slot *slot_of(uintptr_t address)
{
    struct span_slot *leaf =
        atomic_load_explicit(&span_map_root[address >> SPAN_MAP_LEAF_SHIFT], memory_order_relaxed);
    return &leaf[address >> PAGE_SHIFT & (SPAN_MAP_LEAF_SLOTS - 1)];
}

bool span_map_reserve(uintptr_t start, size_t size)
{
    size_t last = (start + size - 1) >> SPAN_MAP_LEAF_SHIFT;
    if (last >= SPAN_MAP_ROOT_SLOTS) return false;
    for (size_t i = start >> SPAN_MAP_LEAF_SHIFT; i <= last; i++) {
        if (atomic_load_explicit(&span_map_root[i], memory_order_relaxed)) continue;
        struct span_slot *leaf = metadata_map(SPAN_MAP_LEAF_SLOTS * sizeof *leaf);
        if (!leaf) return false;
        note_leaf(i);
        // release: pairs with the acquire in span_map_peek()
        atomic_store_explicit(&span_map_root[i], leaf, memory_order_release);
    }
    return true;
}

static void fill(const struct span *span, struct span *value)
{
    uintptr_t end = span->base + span->size;
    uintptr_t every_page_end = end;
    if (span_state(span) == SPAN_DIRECT) {
        uintptr_t stride_start = align_up(span->base + 1, SPAN_MAP_STRIDE);
        if (stride_start < end) every_page_end = stride_start;
    }
    // release: pairs with the acquire in span_map_peek(), which then reads the span
    for (uintptr_t at = span->base; at < every_page_end; at += PAGE_SIZE) {
        atomic_store_explicit(&slot_of(at)->span, value, memory_order_release);
    }
    for (uintptr_t at = every_page_end; at < end; at += SPAN_MAP_STRIDE) {
        atomic_store_explicit(&slot_of(at)->span, value, memory_order_release);
    }
}

static void fill_ends(const struct span *span, struct span *value)
{
    atomic_store_explicit(&slot_of(span->base)->span, value, memory_order_release);
    atomic_store_explicit(&slot_of(span->base + span->size - PAGE_SIZE)->span, value,
                          memory_order_release);
}

static bool has_ends_only(const struct span *span)
{
    return span_state(span) == SPAN_FREE;
}

void span_map_add(struct span *span)
{
    if (has_ends_only(span)) {
        fill_ends(span, span);
    } else {
        fill(span, span);
    }
}

void span_map_remove(struct span *span)
{
    if (has_ends_only(span)) {
        fill_ends(span, NULL);
    } else {
        fill(span, NULL);
    }
}

// Whether the slot's span really covers the address: FREE ones do not count.
static bool holds(const struct span *span, uintptr_t address)
{
    return span && !has_ends_only(span) && span_state(span) != SPAN_UNUSED &&
           address - span->base < span->size;
}

struct span *span_map_find(uintptr_t address)
{
    if (address >> SPAN_MAP_ADDRESS_BITS) return NULL;
    struct span *span = span_map_peek(address);
    if (holds(span, address)) return span;
    span = span_map_peek(align_down(address, SPAN_MAP_STRIDE)); // far inside a DIRECT span
    return holds(span, address) && span_state(span) == SPAN_DIRECT ? span : NULL;
}

struct span *span_map_next(uintptr_t address)
{
    const size_t leaf_size = (size_t)1 << SPAN_MAP_LEAF_SHIFT;
    uintptr_t first = leaves.first << SPAN_MAP_LEAF_SHIFT;
    if (address < first) address = first;
    for (;;) {
        size_t i = address >> SPAN_MAP_LEAF_SHIFT;
        if (i >= leaves.end) return NULL;
        if (!atomic_load_explicit(&span_map_root[i], memory_order_relaxed)) {
            address = align_down(address, leaf_size) + leaf_size;
            continue;
        }
        struct span *span = span_map_peek(address);
        if (span) return span;
        address = align_down(address, PAGE_SIZE) + PAGE_SIZE;
    }
}

void span_map_bounds(uintptr_t *low_out, uintptr_t *high_out)
{
    struct span *first = span_map_next(0);
    *low_out = first ? first->base : 0;
    *high_out = 0;
    uintptr_t address = leaves.end << SPAN_MAP_LEAF_SHIFT;
    while (first && address > first->base) {
        address -= PAGE_SIZE;
        const struct span *span = NULL;
        if (atomic_load_explicit(&span_map_root[address >> SPAN_MAP_LEAF_SHIFT],
                                 memory_order_relaxed)) {
            span = span_map_peek(address);
        } else {
            address = align_down(address, (size_t)1 << SPAN_MAP_LEAF_SHIFT);
        }
        if (!span) continue;
        *high_out = span->base + span->size;
        return;
    }
}
