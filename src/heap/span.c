#include "heap/span.h"

#include "base/panic.h"
#include "heap/metadata.h"

#include <assert.h>

static_assert(sizeof(struct plane_cell) == 16, "the plane's arithmetic counts on it");

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

static unsigned granules_per_block(const struct span *self)
{
    return self->block_size >> GRANULE_SHIFT;
}

void span_init_small(struct span *self, unsigned class, struct plane_cell *plane)
{
    size_t block_size = size_class_size(class);
    self->class = (uint8_t)class;
    self->block_size = (uint32_t)block_size;
    self->capacity = (uint32_t)(self->size / block_size);
    uint64_t granules = block_size >> GRANULE_SHIFT;
    self->block_reciprocal = ((UINT64_C(1) << 32) + granules - 1) / granules;
    self->block_starts = 1;
    for (uint64_t shift = granules; shift < 64; shift *= 2) {
        self->block_starts |= self->block_starts << shift;
    }
    self->cell_step = (uint16_t)(64 % granules);
    self->page_step = (uint16_t)(64 * CELLS_PER_PAGE % granules);
    uint64_t tail = self->capacity * granules; // in granules; a whole number of blocks leaves none
    self->tail_cell = (uint16_t)(tail / 64);
    self->tail_bit = UINT64_C(1) << tail % 64;
    self->plane = plane;
    self->plane_bias = (uintptr_t)plane - (self->base >> 10) * sizeof(struct plane_cell);
    self->count = 0;
    self->bias = 0;
    self->touched_pages = 0;
    self->touched_phase = 0;
    self->purged_pages = 0;
    span_rewind(self);
    atomic_store_explicit(&self->announced, 0, memory_order_relaxed);
}

uint32_t span_used(const struct span *self)
{
    return span_state(self) == SPAN_FULL ? self->capacity : self->count + self->bias;
}

void span_rewind(struct span *self)
{
    self->cursor_page = 0;
    self->cursor_phase = 0;
}

// The phase after `granules` more; `step` is `granules` modulo those of a block.
static unsigned next_phase(const struct span *self, unsigned phase, unsigned step)
{
    return phase >= step ? phase - step : phase + granules_per_block(self) - step;
}

uint32_t span_touched_blocks(const struct span *self)
{
    unsigned granules = granules_per_block(self);
    uint32_t count = (self->touched_pages * 64u * CELLS_PER_PAGE + granules - 1) / granules;
    return count < self->capacity ? count : self->capacity;
}

void span_extend(struct span *self)
{
    ASSERT(self->touched_pages < self->page_count);
    self->cursor_page = self->touched_pages;
    self->cursor_phase = self->touched_phase;
    self->touched_pages++;
    self->touched_phase = (uint16_t)next_phase(self, self->touched_phase, self->page_step);
}

// The bytes from the cursor's page to the end of the block whose link is `tail` are about to be used.
static void forget_purged(struct span *self, unsigned first_page, void **tail)
{
    uintptr_t end = (uintptr_t)tail + self->block_size - 1;
    unsigned last_page = (unsigned)((end - self->base) >> PAGE_SHIFT);
    self->purged_pages &= ~((UINT64_C(2) << last_page) - (UINT64_C(1) << first_page));
}

// A free list being made: its blocks so far, and where the next one goes.
struct links {
    void *first;
    void **tail;
    unsigned count;
};

static ALWAYS_INLINE void link_cell(const struct span *self, unsigned index, uint64_t free,
                                    struct links *links)
{
    if (index == self->tail_cell) free &= ~self->tail_bit;
    char *cell_base = (char *)self->base + (size_t)index * 64 * GRANULE;
    for (; free; free &= free - 1) {
        void **block = (void **)(cell_base + (size_t)__builtin_ctzl(free) * GRANULE);
        *links->tail = block;
        links->tail = block;
        links->count++;
    }
}

unsigned span_take_blocks(struct span *self, unsigned wanted, void **first_out)
{
    struct links links = {.tail = &links.first};
    unsigned page = self->cursor_page;
    const struct plane_cell *cells = self->plane;
    uint64_t block_starts = self->block_starts;
    int granules = (int)granules_per_block(self);
    int step = self->cell_step;
    int phase = self->cursor_phase; // from the cell's start to the first block that starts in it
    // Most cells of a well used span have nothing to give: what they cost is what a visit costs.
    for (; page < self->touched_pages && links.count < wanted; page++) {
        for (unsigned i = page * CELLS_PER_PAGE; i < (page + 1) * CELLS_PER_PAGE; i++) {
            uint64_t starts = phase < 64 ? block_starts << phase : 0;
            uint64_t free = starts & ~atomic_load_explicit(&cells[i].live, memory_order_relaxed);
            phase -= step;
            if (phase < 0) phase += granules;
            if (UNLIKELY(free)) link_cell(self, i, free, &links);
        }
    }
    if (links.count) {
        *links.tail = NULL;
        *first_out = links.first;
        if (self->purged_pages) forget_purged(self, self->cursor_page, links.tail);
    }
    self->cursor_page = (uint16_t)page;
    self->cursor_phase = (uint16_t)phase;
    return links.count;
}
