#include "heap/span.h"

#include "base/panic.h"
#include "heap/metadata.h"

#include <assert.h>

static_assert(sizeof(struct plane_cell) == 16, "the plane's arithmetic counts on it");
static_assert(CLASS_COUNT <= UINT8_MAX, "span.class");

struct span *span_create(uintptr_t base, size_t size, bool is_dirty)
{
    struct span *self = metadata_take(METADATA_SPAN, sizeof *self);
    if (!self) return NULL;
    *self = (struct span){.is_dirty = is_dirty};
    span_set_extent(self, base, size);
    list_init(&self->link);
    list_init(&self->age);
    return self;
}

void span_destroy(struct span *self)
{
    span_set_state(self, SPAN_UNUSED);
    metadata_give(METADATA_SPAN, self, sizeof *self);
}

void span_set_extent(struct span *self, uintptr_t base, size_t size)
{
    self->base = base;
    self->size = size;
    self->page_count = size >> PAGE_SHIFT;
}

void span_init_small(struct span *self, unsigned class, struct plane_cell *plane)
{
    size_t block_size = size_class_size(class);
    self->class = (uint8_t) class;
    self->block_size = (uint32_t)block_size;
    self->capacity = (uint32_t)(self->size / block_size);
    uint64_t granules = block_size >> GRANULE_SHIFT;
    self->block_reciprocal = ((UINT64_C(1) << 32) + granules - 1) / granules;
    self->block_starts = 1;
    for (uint64_t shift = granules; shift < 64; shift *= 2) {
        self->block_starts |= self->block_starts << shift;
    }
    uint64_t tail = self->capacity * granules; // in granules; a whole number of blocks leaves none
    self->tail_cell = (uint16_t)(tail / 64);
    self->tail_bit = UINT64_C(1) << tail % 64;
    self->plane = plane;
    self->plane_bias = (uintptr_t)plane - (self->base >> 10) * sizeof(struct plane_cell);
    self->count = 0;
    self->bias = 0;
    self->touched_pages = 0;
    self->freed_cells = 0;
    self->purged_pages = 0;
    atomic_store_explicit(&self->announced, 0, memory_order_relaxed);
}

uint32_t span_used(const struct span *self)
{
    return span_state(self) == SPAN_FULL ? self->capacity : self->count + self->bias;
}

bool span_extend(struct span *self)
{
    if (self->touched_pages >= self->page_count) return false;
    uintptr_t page = self->base + ((size_t)self->touched_pages << PAGE_SHIFT);
    for (unsigned i = 0; i < CELLS_PER_PAGE; i++) {
        self->freed_cells |= span_cell_mark(page + (size_t)i * CELL_SIZE);
    }
    self->touched_pages++;
    return true;
}

// A free list being made: its blocks so far, and where the next one goes.
struct links {
    void *first;
    void **tail;
    unsigned count;
};

// The granules of a cell at which a block starts that is free.
static uint64_t free_starts(const struct span *self, unsigned index)
{
    uint64_t granules = self->block_size >> GRANULE_SHIFT;
    uint64_t first = (uint64_t)index * 64;
    uint64_t block = ((first + granules - 1) * self->block_reciprocal) >> 32;
    uint64_t phase =
        block * granules - first; // to the first block that starts in the cell or after it
    if (phase >= 64) return 0;
    uint64_t live = atomic_load_explicit(&self->plane[index].live, memory_order_relaxed);
    uint64_t free = self->block_starts << phase & ~live;
    return index == self->tail_cell ? free & ~self->tail_bit : free;
}

static void link_cell(const struct span *self, unsigned index, struct links *links)
{
    char *cell_base = (char *)self->base + (size_t)index * CELL_SIZE;
    for (uint64_t free = free_starts(self, index); free; free &= free - 1) {
        void **block = (void **)(cell_base + (size_t)__builtin_ctzl(free) * GRANULE);
        *links->tail = block;
        links->tail = block;
        links->count++;
    }
}

// The pages from a cell's to that of the end of the block whose link is `tail` are about to be
// used.
static void forget_purged(struct span *self, unsigned first_cell, void **tail)
{
    uintptr_t end = (uintptr_t)tail + self->block_size - 1;
    unsigned last_page = (unsigned)((end - self->base) >> PAGE_SHIFT);
    unsigned first_page = first_cell / CELLS_PER_PAGE;
    self->purged_pages &= ~((UINT64_C(2) << last_page) - (UINT64_C(1) << first_page));
}

static uint64_t rotate_right(uint64_t value, unsigned count)
{
    return value >> (count & 63) | value << (-count & 63);
}

unsigned span_take_blocks(struct span *self, unsigned wanted, void **first_out,
                          struct span_range *range_out)
{
    struct links links = {.tail = &links.first};
    unsigned shift = (unsigned)(self->base / CELL_SIZE);
    uint64_t marked = rotate_right(self->freed_cells, shift); // bit 0: the span's first cell
    if (marked == 0) return 0;
    unsigned first_cell = (unsigned)__builtin_ctzl(marked);
    unsigned last_cell = first_cell;
    for (; marked && links.count < wanted; marked &= marked - 1) {
        last_cell = (unsigned)__builtin_ctzl(marked);
        link_cell(self, last_cell, &links);
    }
    self->freed_cells = rotate_right(marked, -shift);
    if (links.count == 0) return 0;
    *links.tail = NULL;
    *first_out = links.first;
    range_out->start = self->base + (size_t)first_cell * CELL_SIZE;
    range_out->size = (size_t)(last_cell + 1 - first_cell) * CELL_SIZE;
    if (self->purged_pages) forget_purged(self, first_cell, links.tail);
    return links.count;
}
