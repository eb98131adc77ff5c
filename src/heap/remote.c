#include "heap/remote.h"

#include "base/panic.h"
#include "heap/idle.h"
#include "heap/reclaim.h"

// So many bytes are told to the reclaimer at once.
enum { ANNOUNCED_BYTES_MAX = 1 << 20 };

static void push_announced(struct thread_heap *owner, struct span *span)
{
    struct span *first = atomic_load_explicit(&owner->announced, memory_order_relaxed);
    do {
        span->announced_next = first;
        // seq_cst: pairs with the exchange in remote_merge(), and orders the push before the look
        // at is_idle that follows it.
    } while (!atomic_compare_exchange_weak_explicit(&owner->announced, &first, span,
                                                    memory_order_seq_cst, memory_order_relaxed));
}

// Takes the pending blocks of one cell over. Their number.
static uint32_t merge_cell(struct span *span, unsigned index)
{
    struct plane_cell *cell = &span->plane[index];
    // acquire: pairs with the release in remote_free(): the block's last uses are over
    uint64_t pending = atomic_exchange_explicit(&cell->pending, 0, memory_order_acquire);
    uint64_t live = atomic_load_explicit(&cell->live, memory_order_relaxed);
    uint64_t twice = pending & ~live;
    if (UNLIKELY(twice)) {
        size_t granule = (size_t)index * 64 + (size_t)__builtin_ctzl(twice);
        panic("free", (void *)(span->base + granule * GRANULE),
              "double free: by two threads at the same time");
    }
    atomic_store_explicit(&cell->live, live & ~pending, memory_order_relaxed);
    span->freed_cells |= span_cell_mark(span->base + (size_t)index * CELL_SIZE);
    return (uint32_t)__builtin_popcountl(pending);
}

static void merge_span(struct thread_heap *self, struct span *span)
{
    // acquire: pairs with the release in remote_free()
    uint64_t cells = atomic_exchange_explicit(&span->announced, 0, memory_order_acq_rel);
    uint32_t freed = 0;
    for (; cells; cells &= cells - 1) freed += merge_cell(span, (unsigned)__builtin_ctzl(cells));
    if (freed) thread_heap_lower_count(self, span, freed);
}

// The span changed hands on its way to `self`.
static void pass_on(struct thread_heap *self, struct thread_heap *owner, struct span *span)
{
    push_announced(owner, span);
    if (!atomic_load_explicit(&owner->is_idle, memory_order_seq_cst)) return;
    if (atomic_load_explicit(&self->is_idle, memory_order_relaxed)) {
        remote_merge(owner); // whoever merges for an idle heap holds the lock for all of them
    } else {
        idle_merge(owner);
    }
}

void remote_merge(struct thread_heap *self)
{
    struct span *span = atomic_exchange_explicit(&self->announced, NULL, memory_order_seq_cst);
    while (span) {
        struct span *next = span->announced_next; // once merged, somebody may announce it anew
        struct thread_heap *owner = atomic_load_explicit(&span->owner, memory_order_acquire);
        if (owner == self) {
            merge_span(self, span);
        } else {
            pass_on(self, owner, span);
        }
        span = next;
    }
}

// What an announcement may free: the blocks that start in a cell. A thread that only ever frees has
// no heap to add it up in.
static void note_announced(struct thread_heap *self, size_t block_size)
{
    unsigned bytes = (unsigned)(block_size > CELL_SIZE ? block_size : CELL_SIZE);
    if (self == &thread_heap_none) {
        reclaim_add(bytes);
        return;
    }
    self->announced_bytes += bytes;
    if (self->announced_bytes < ANNOUNCED_BYTES_MAX) return;
    reclaim_add(self->announced_bytes);
    self->announced_bytes = 0;
}

void remote_free(struct thread_heap *self, struct span *span, uintptr_t block)
{
    struct plane_cell *cell = span_cell(span, block);
    uint64_t bit = span_bit(block);
    size_t block_size = span->block_size; // while the block keeps the span what it is
    // release: pairs with the acquire in merge_cell()
    uint64_t before = atomic_fetch_or_explicit(&cell->pending, bit, memory_order_acq_rel);
    if (UNLIKELY(before & bit)) {
        panic("free", (void *)block, "double free: by two threads at the same time");
    }
    if (before != 0) return; // whoever set the first bit of the cell tells the owner
    uint64_t cell_bit = UINT64_C(1) << (cell - span->plane);
    if (atomic_fetch_or_explicit(&span->announced, cell_bit, memory_order_acq_rel) == 0) {
        struct thread_heap *owner = atomic_load_explicit(&span->owner, memory_order_acquire);
        // The span was given back since the block was seen live: another thread freed it, the last
        // one.
        if (UNLIKELY(!owner)) {
            panic("free", (void *)block, "double free: by two threads at the same time");
        }
        push_announced(owner, span);
        if (UNLIKELY(atomic_load_explicit(&owner->is_idle, memory_order_seq_cst))) {
            idle_merge(owner);
        }
    }
    note_announced(self, block_size);
}
