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

// The span at `where`, if it covers `address`.
static bool read_span(const struct memory_reader *reader, uintptr_t where, uintptr_t address,
                      struct span *span)
{
    if (!where || reader->read(reader, where, span, sizeof *span)) return false;
    return address - span->base < span->size;
}

// The span whose pointer stands in the slot of `address`, if it covers it.
static bool read_slot(const struct memory_reader *reader, const struct heap_root *root,
                      uintptr_t address, struct span *span)
{
    uintptr_t leaf = 0;
    uintptr_t where = 0;
    size_t index = address >> SPAN_MAP_LEAF_SHIFT;
    if (reader->read(reader, root->map + index * sizeof leaf, &leaf, sizeof leaf) || !leaf) {
        return false;
    }
    size_t slot = address >> PAGE_SHIFT & (SPAN_MAP_LEAF_SLOTS - 1);
    if (reader->read(reader, leaf + slot * sizeof where, &where, sizeof where)) return false;
    return read_span(reader, where, address, span);
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
        .size = block_size - (note.slack <= block_size ? note.slack : 0),
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

// --- walking
// ---------------------------------------------------------------------------------------

enum {
    // A read of another process is a system call, so slots are read a page of them at a time.
    SLOTS_PER_READ = 512,
    CELLS_MAX = SPAN_PAGES_MAX * CELLS_PER_PAGE,
};

struct walk {
    const struct memory_reader *reader;
    bool (*visit)(void *context, const struct heap_block *block);
    void *context;
    uintptr_t end; // of the span seen last: what lies below has been shown
};

// Visits a small span's live blocks. False when the visitor has had enough.
static bool walk_small(struct walk *walk, const struct span *span)
{
    struct plane_cell cells[CELLS_MAX];
    size_t count = span->page_count * CELLS_PER_PAGE;
    uintptr_t plane = (uintptr_t)span->plane;
    if (walk->reader->read(walk->reader, plane, cells, count * sizeof cells[0])) return true;
    for (size_t i = 0; i < count; i++) {
        for (uint64_t live = cells[i].live & ~cells[i].pending; live; live &= live - 1) {
            size_t granule = i * 64 + (size_t)__builtin_ctzl(live);
            uint32_t index = (uint32_t)(granule * GRANULE / span->block_size);
            if (index >= span->capacity) continue;
            struct heap_block block = describe(walk->reader, span, index, true);
            if (!walk->visit(walk->context, &block)) return false;
        }
    }
    return true;
}

// Visits what the span that was found at `at` holds. False when the visitor has had enough.
static bool walk_span(struct walk *walk, const struct span *span, uintptr_t at)
{
    uintptr_t end = span->base + span->size;
    walk->end = end > at ? end : at + PAGE_SIZE;
    if (span->base != at) return true; // no span begins here: its first slot has shown it
    if (is_whole_block(span) && span->announced == 1) {
        struct heap_block block = describe(walk->reader, span, 0, true);
        return walk->visit(walk->context, &block);
    }
    bool is_small = span_state(span) >= SPAN_CURRENT && span_state(span) <= SPAN_FULL;
    return !is_small || !is_sound_small(span) || walk_small(walk, span);
}

// Goes through the leaf for the addresses from `start` on.
static bool walk_leaf(struct walk *walk, uintptr_t leaf, uintptr_t start)
{
    uintptr_t slots[SLOTS_PER_READ];
    for (size_t first = 0; first < SPAN_MAP_LEAF_SLOTS; first += SLOTS_PER_READ) {
        uintptr_t base = start + (first << PAGE_SHIFT);
        if (walk->end >= base + ((uintptr_t)SLOTS_PER_READ << PAGE_SHIFT)) continue;
        uintptr_t where = leaf + first * sizeof slots[0];
        if (walk->reader->read(walk->reader, where, slots, sizeof slots)) continue;
        for (size_t i = 0; i < SLOTS_PER_READ; i++) {
            uintptr_t at = base + (i << PAGE_SHIFT);
            struct span span;
            if (at < walk->end || !read_span(walk->reader, slots[i], at, &span)) continue;
            if (span.size % PAGE_SIZE == 0 && !walk_span(walk, &span, at)) return false;
        }
    }
    return true;
}

int heap_walk(const struct memory_reader *reader, uintptr_t root_address,
              bool (*visit)(void *context, const struct heap_block *block), void *context)
{
    struct heap_root root;
    struct walk walk = {.reader = reader, .visit = visit, .context = context};
    int error = read_root(reader, root_address, &root);
    for (size_t first = 0; first < SPAN_MAP_ROOT_SLOTS && !error; first += SLOTS_PER_READ) {
        uintptr_t leaves[SLOTS_PER_READ];
        uintptr_t where = root.map + first * sizeof leaves[0];
        error = reader->read(reader, where, leaves, sizeof leaves);
        for (size_t i = 0; i < SLOTS_PER_READ && !error; i++) {
            uintptr_t start = (first + i) << SPAN_MAP_LEAF_SHIFT;
            if (leaves[i] && !walk_leaf(&walk, leaves[i], start)) return 0;
        }
    }
    return error;
}
