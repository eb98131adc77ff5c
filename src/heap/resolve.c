#include "heap/resolve.h"

#include "heap/span_map.h"

#include <errno.h>

__attribute__((visibility("default"))) struct heap_root mete_heap_root = {
    .magic = HEAP_ROOT_MAGIC,
    .layout_version = HEAP_LAYOUT_VERSION,
    .span_struct_size = sizeof(struct span),
    .class_count = CLASS_COUNT,
    .map = (uintptr_t)span_map_root,
};

static int read_root(const struct memory_reader *reader, uintptr_t address, struct heap_root *root)
{
    int error = reader->read(reader, address, root, sizeof *root);
    if (error) return error;
    bool is_known = root->magic == HEAP_ROOT_MAGIC && root->layout_version == HEAP_LAYOUT_VERSION &&
                    root->span_struct_size == sizeof(struct span) &&
                    root->class_count == CLASS_COUNT;
    return is_known ? 0 : -EPROTO;
}

static int read_leaf(const struct memory_reader *reader, const struct heap_root *root, size_t index,
                     uintptr_t *leaf_out)
{
    return reader->read(reader, root->map + index * sizeof(uintptr_t), leaf_out, sizeof *leaf_out);
}

// The span whose pointer stands in the slot of `address`, if it covers it.
static bool read_slot(const struct memory_reader *reader, const struct heap_root *root,
                      uintptr_t address, struct span *span)
{
    uintptr_t leaf = 0;
    uintptr_t where = 0;
    if (read_leaf(reader, root, address >> SPAN_MAP_LEAF_SHIFT, &leaf) || !leaf) return false;
    size_t slot = address >> PAGE_SHIFT & (SPAN_MAP_LEAF_SLOTS - 1);
    if (reader->read(reader, leaf + slot * sizeof where, &where, sizeof where)) return false;
    if (!where || reader->read(reader, where, span, sizeof *span)) return false;
    return address - span->base < span->size;
}

static bool is_sound_small(const struct span *span)
{
    return span->plane && span->base % PAGE_SIZE == 0 && span->block_size >= GRANULE &&
           span->block_size <= SMALL_SIZE_MAX && span->block_size % GRANULE == 0 &&
           span->page_count <= SPAN_PAGES_MAX && span->size == span->page_count << PAGE_SHIFT &&
           span->capacity <= span->size / span->block_size;
}

static bool is_whole_block(const struct span *span)
{
    return span_state(span) == SPAN_LARGE || span_state(span) == SPAN_DIRECT;
}

static bool find_span(const struct memory_reader *reader, const struct heap_root *root,
                      uintptr_t address, struct span *span)
{
    if (address >> SPAN_MAP_ADDRESS_BITS) return false;
    if (!read_slot(reader, root, address, span)) {
        if (!read_slot(reader, root, align_down(address, SPAN_MAP_STRIDE), span)) return false;
        if (address - span->base >= span->size || span_state(span) != SPAN_DIRECT) return false;
    }
    enum span_state kind = span_state(span);
    if (is_whole_block(span)) return span->block_size == 0;
    return kind >= SPAN_CURRENT && kind <= SPAN_FULL && is_sound_small(span);
}

// The note of the block at `index`, through the reader.
static struct note read_note(const struct memory_reader *reader, const struct span *span,
                             uint32_t index)
{
    uint32_t packed = 0;
    uint32_t slack = 0;
    uintptr_t notes = (uintptr_t)atomic_load_explicit(&span->notes, memory_order_relaxed);
    if (!notes || reader->read(reader, notes + index * sizeof packed, &packed, sizeof packed)) {
        return (struct note){0};
    }
    slack = packed & NOTE_SLACK_ESCAPE;
    if (slack == NOTE_SLACK_ESCAPE && note_has_side_table(span)) {
        uintptr_t where = notes + (note_count(span) + index) * sizeof slack;
        if (reader->read(reader, where, &slack, sizeof slack)) slack = 0;
    }
    return (struct note){.site = packed >> (32 - NOTE_SITE_BITS), .slack = slack};
}

static struct heap_block describe(const struct memory_reader *reader, const struct span *span,
                                  uint32_t index, bool is_live)
{
    size_t block_size = is_whole_block(span) ? span->size : span->block_size;
    struct note note = read_note(reader, span, index);
    return (struct heap_block){
        .start = is_whole_block(span) ? span->base : span_block(span, index),
        .block_size = block_size,
        .size = block_size - (note.slack < block_size ? note.slack : 0),
        .site = note.site,
        .state = is_live ? HEAP_BLOCK_LIVE : HEAP_BLOCK_FREE,
    };
}

static bool read_cell(const struct memory_reader *reader, const struct span *span, size_t index,
                      uint64_t *live_out)
{
    struct plane_cell cell;
    uintptr_t where = (uintptr_t)span->plane + index * sizeof cell;
    if (reader->read(reader, where, &cell, sizeof cell)) return false;
    *live_out = cell.live & ~cell.pending;
    return true;
}

bool heap_resolve(const struct memory_reader *reader, uintptr_t root_address, uintptr_t word,
                  struct heap_block *block_out)
{
    struct heap_root root;
    struct span span;
    if (read_root(reader, root_address, &root) || !find_span(reader, &root, word, &span)) {
        return false;
    }
    if (is_whole_block(&span)) {
        *block_out = describe(reader, &span, 0, span.announced == 1);
        return true;
    }
    uint32_t index = (uint32_t)((word - span.base) / span.block_size);
    uint64_t live;
    if (index >= span.capacity) return false;
    uintptr_t start = span_block(&span, index);
    if (!read_cell(reader, &span, (start - span.base) >> 10, &live)) return false;
    *block_out = describe(reader, &span, index, (live & span_bit(start)) != 0);
    return true;
}

// Visits a small span's live blocks. False when the visitor has had enough.
static bool walk_small(const struct memory_reader *reader, const struct span *span,
                       bool (*visit)(void *, const struct heap_block *), void *context)
{
    for (size_t i = 0; i < span->page_count * CELLS_PER_PAGE; i++) {
        uint64_t live;
        if (!read_cell(reader, span, i, &live)) return true;
        for (; live; live &= live - 1) {
            size_t granule = i * 64 + (size_t)__builtin_ctzl(live);
            uint32_t index = (uint32_t)(granule * GRANULE / span->block_size);
            if (index >= span->capacity) continue;
            struct heap_block block = describe(reader, span, index, true);
            if (!visit(context, &block)) return false;
        }
    }
    return true;
}

static bool walk_leaf(const struct memory_reader *reader, const struct heap_root *root,
                      uintptr_t start, bool (*visit)(void *, const struct heap_block *),
                      void *context)
{
    uintptr_t end = start + ((uintptr_t)1 << SPAN_MAP_LEAF_SHIFT);
    for (uintptr_t at = start; at < end;) {
        struct span span;
        if (!read_slot(reader, root, at, &span) || span.size % PAGE_SIZE) {
            at += PAGE_SIZE;
            continue;
        }
        uintptr_t next = span.base + span.size;
        bool begins_here = span.base >= start; // else an earlier leaf has shown it
        if (begins_here && is_whole_block(&span) && span.announced == 1) {
            struct heap_block block = describe(reader, &span, 0, true);
            if (!visit(context, &block)) return false;
        } else if (begins_here && span_state(&span) >= SPAN_CURRENT &&
                   span_state(&span) <= SPAN_FULL && is_sound_small(&span)) {
            if (!walk_small(reader, &span, visit, context)) return false;
        }
        at = next > at ? next : at + PAGE_SIZE;
    }
    return true;
}

int heap_walk(const struct memory_reader *reader, uintptr_t root_address,
              bool (*visit)(void *context, const struct heap_block *block), void *context)
{
    struct heap_root root;
    int error = read_root(reader, root_address, &root);
    for (size_t i = 0; i < SPAN_MAP_ROOT_SLOTS && !error; i++) {
        uintptr_t leaf = 0;
        error = read_leaf(reader, &root, i, &leaf);
        if (error || !leaf) continue;
        if (!walk_leaf(reader, &root, i << SPAN_MAP_LEAF_SHIFT, visit, context)) break;
    }
    return error;
}
