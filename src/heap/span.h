// Span: a run of pages, and what is known of it. Free runs, runs cut into blocks of one size class,
// and single large blocks are all spans; their state says which.
//
// A small span's blocks are described out of line by its plane: per KiB of the span one cell of two
// words, a bit per 16-byte granule. live: a block starts here and is handed out. pending: another
// thread has freed it and the owner has not seen that yet. Free blocks hold nothing of ours unless
// they are on their bin's free list, which only a span that is current has: so any page of another
// span without a live block may be purged at any time.
//
// Invariants of a small span:
// - live and pending bits only where a block starts; pending is a subset of live, save for a race
//   of two frees, which panics when it is merged
// - |live| + |the bin's free list, if it stands here| == count + bias (FULL: == capacity)
// - only the owner's thread writes live, count, bias and freed_cells; anyone sets pending and
//   announced
// - a free block of a touched page that is on no list has its cell marked in freed_cells
// - pages [0, touched_pages) have had blocks, the others were never written through this span
//
// A span's struct is never returned to the OS: a stale pointer to it reads some span.
#pragma once

#include "base/attributes.h"
#include "base/list.h"
#include "heap/size_class.h"
#include "os/pages.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bin;
struct thread_heap;

enum span_state {
    SPAN_UNUSED,  // the struct describes nothing
    SPAN_FREE,    // pages nobody uses, in the page heap
    SPAN_RESTING, // free pages on their way to the OS: in no bin and no map, as all up to CURRENT
    SPAN_PURGED,  // they read as zero
    SPAN_UNMAPPING,
    SPAN_UNMAPPED, // the addresses are not ours any more
    SPAN_CURRENT,  // the one its bin allocates from
    SPAN_GROWING,  // partly used, with pages never touched: its bin's reserve
    SPAN_PARTIAL,  // in its bin's list: may have free blocks
    SPAN_FULL,     // in no list: the next free finds count at 1 and so the slow path
    SPAN_LARGE,    // one block of whole pages, from the page heap
    SPAN_DIRECT,   // one block with a mapping of its own
};

struct plane_cell {
    _Atomic uint64_t live;    // written by the owner alone, with plain stores
    _Atomic uint64_t pending; // set by anyone, cleared by the owner
};

enum {
    CELL_SIZE = 1024, // bytes that a cell covers: 64 granules
    CELLS_PER_PAGE = 4,
};

struct span {
    // What free() reads for every block.
    _Atomic(struct thread_heap *) fast_owner; // whose thread may free here without looking further
    uintptr_t plane_bias;  // the cell of an address is at plane_bias + (address >> 10) * 16
    struct bin *bin;       // of fast_owner
    uint64_t freed_cells;  // a bit per cell that may have free blocks; see span_cell_mark()
    uint32_t count;        // trigger: what reaches 0 needs attention
    uint8_t class;         // 0 for LARGE and DIRECT
    _Atomic uint8_t state; // enum span_state; see span_state()
    bool is_dirty;         // FREE: some pages are resident. LARGE: not known to be zero when made

    // What allocation and the slow paths read.
    _Atomic uint32_t busy; // 1 while the owner allocates from it, or the helper purges its holes
    uint32_t bias;         // count + bias is the number of blocks in use
    uintptr_t base;
    size_t page_count;
    uint32_t capacity;   // blocks
    uint32_t block_size; // 0 for LARGE and DIRECT: their block is the whole span

    uint64_t block_reciprocal; // ceil(2^32 / granules per block): see span_index()
    uint64_t block_starts;     // a bit per granule of a cell whose first granule starts a block
    uint64_t tail_bit; // in the cell tail_cell: where a block would start that has no room any more
    uint16_t tail_cell;
    uint16_t touched_pages;

    struct list link; // of a bin's list, or of the page heap's
    struct list age;  // FREE and dirty: of the page heap's list by age
    struct plane_cell *plane;

    // What other threads write.
    _Alignas(CACHE_LINE) _Atomic(struct thread_heap *) owner;
    _Atomic uint64_t announced;  // small: a bit per cell with pending bits. Else: 1 while live
    struct span *announced_next; // in the owner's stack of spans to look at
    uint64_t purged_pages;       // under busy: touched pages that were purged and not used since

    size_t size;                       // bytes: page_count pages
    uint64_t freed_ms;                 // FREE and dirty: when
    _Atomic(_Atomic uint32_t *) notes; // one per block, then the side table; or NULL. See note.h
};

// The page heap looks at the state of neighbours that other threads own; only SPAN_FREE means
// anything to it, and that is set under its lock.
static inline enum span_state span_state(const struct span *self)
{
    return atomic_load_explicit(&self->state, memory_order_relaxed);
}

static inline void span_set_state(struct span *self, enum span_state state)
{
    atomic_store_explicit(&self->state, (uint8_t)state, memory_order_relaxed);
}

static inline bool span_is_small(const struct span *self)
{
    return self->block_size != 0;
}

// Of each of its blocks.
static ALWAYS_INLINE size_t span_block_size(const struct span *self)
{
    return span_is_small(self) ? self->block_size : self->size;
}

// The cell that describes `address`, which lies in the small span.
static ALWAYS_INLINE struct plane_cell *span_cell(const struct span *self, uintptr_t address)
{
    return (struct plane_cell *)(self->plane_bias + (address >> 10) * sizeof(struct plane_cell));
}

// The bit in that cell.
static ALWAYS_INLINE uint64_t span_bit(uintptr_t address)
{
    return UINT64_C(1) << ((address >> GRANULE_SHIFT) & 63);
}

// The index of the block that `address` lies in: exact for every granule of a span of up to 2^16
// granules, since the reciprocal's error times the granule stays below one block.
static inline uint32_t span_index(const struct span *self, uintptr_t address)
{
    uint64_t granule = (address - self->base) >> GRANULE_SHIFT;
    return (uint32_t)((granule * self->block_reciprocal) >> 32);
}

// A struct for pages in no map: its link and age in no list, its state SPAN_UNUSED. NULL: no
// memory.
struct span *span_create(uintptr_t base, size_t size, bool is_dirty);
void span_destroy(struct span *self);

// Gives it another base and size.
void span_set_extent(struct span *self, uintptr_t base, size_t size);

// Makes the struct describe a small span of `class` at its pages, all blocks free and untouched.
// The plane is zero and belongs to the span.
void span_init_small(struct span *self, unsigned class, struct plane_cell *plane);

// The start of the block at `index`.
static inline uintptr_t span_block(const struct span *self, uint32_t index)
{
    return self->base + (size_t)index * self->block_size;
}

// Blocks in use or on the bin's free list.
uint32_t span_used(const struct span *self);

// The mark of the cell of an address. Counted from address 0, not from the span's start: no two of
// a span's at most 64 cells share one, and free() need not know where the span starts.
static ALWAYS_INLINE uint64_t span_cell_mark(uintptr_t address)
{
    return UINT64_C(1) << (address >> 10 & 63);
}

// A range of addresses: of the cells that blocks were taken from.
struct span_range {
    uintptr_t start;
    size_t size;
};

// Puts the free blocks of marked cells in a free list, in address order, and takes the marks away,
// until `wanted` blocks are there or no mark is left. The number of blocks; *first_out is the first
// of them, and *range_out holds them all: both untouched when there is none. The caller owns the
// span and holds busy.
unsigned span_take_blocks(struct span *self, unsigned wanted, void **first_out,
                          struct span_range *range_out);

// Adds the next untouched page to the touched ones and marks its cells. False when there is none.
bool span_extend(struct span *self);

// busy, without waiting: whoever fails has better things to do.
static inline bool span_try_busy(struct span *self)
{
    uint32_t expected = 0;
    // acquire: pairs with the release in span_give_busy()
    return atomic_compare_exchange_strong_explicit(&self->busy, &expected, 1, memory_order_acquire,
                                                   memory_order_relaxed);
}

static inline void span_give_busy(struct span *self)
{
    // release: pairs with the acquire in span_try_busy()
    atomic_store_explicit(&self->busy, 0, memory_order_release);
}
