#include "heap/heap.h"

#include "heap/fast.h"
#include "heap/idle.h"
#include "heap/large.h"
#include "heap/misuse.h"
#include "heap/note.h"
#include "heap/remote.h"

#include <errno.h>
#include <string.h>

// --- a block and what is known of it
// ---------------------------------------------------------------

// A live block, found from its pointer.
struct found {
    struct span *span;
    uint32_t index;
    size_t block_size;
    bool is_freed;     // the observer has been told of its free already, with these:
    struct note note;  // its site, its slack
    size_t size_freed; // requested bytes
};

// Finds the live block at `pointer`. False when there is none.
static ALWAYS_INLINE bool find(const void *pointer, struct found *found_out)
{
    uintptr_t address = (uintptr_t)pointer;
    struct span *span = span_map_find(address);
    if (UNLIKELY(!span)) return false;
    found_out->span = span;
    found_out->index = 0;
    found_out->block_size = span->size;
    found_out->is_freed = false;
    if (!span_is_small(span)) return LIKELY(address == span->base && span->announced == 1);
    const struct plane_cell *cell = span_cell(span, address);
    uint64_t live = atomic_load_explicit(&cell->live, memory_order_relaxed);
    uint64_t pending = atomic_load_explicit(&cell->pending, memory_order_relaxed);
    bool is_live = address % GRANULE == 0 && (live & ~pending & span_bit(address));
    if (UNLIKELY(!is_live)) return false;
    found_out->index = span_index(span, address);
    found_out->block_size = span->block_size;
    return true;
}

// What the caller is to return.
static ALWAYS_INLINE void *record_allocation(struct span *span, void *block, size_t size)
{
    const struct heap_observer *observer = heap_observed_by();
    return UNLIKELY(observer) ? observer->allocated(span, block, size) : block;
}

// The block at `found` is not freed yet: it is about to be. Its note goes now: whoever walks the
// heap before the next one has written its own must not find what was there before.
static void record_free(struct found *found, void *block)
{
    const struct heap_observer *observer = heap_observed_by();
    if (LIKELY(!observer)) return;
    found->note = note_read(found->span, found->index);
    found->size_freed = found->block_size - found->note.slack;
    found->is_freed = true;
    observer->freeing(block, found->note.site, found->size_freed, found->block_size);
    note_write(found->span, found->index, 0, 0);
}

// After record_free(): what was `old` is now `block` of `span`, for `size` bytes.
static void record_resize(const struct found *old, struct span *span, void *block, size_t size)
{
    const struct heap_observer *observer = heap_observed_by();
    if (LIKELY(!observer)) return;
    if (old->is_freed) {
        (void)observer->resized(span, block, old->size_freed, size);
    } else {
        (void)observer->allocated(span, block, size);
    }
}

// After record_free(): nothing came of it, the block lives on.
static void record_keep(const struct found *found, void *block)
{
    const struct heap_observer *observer = heap_observed_by();
    if (LIKELY(!observer) || !found->is_freed) return;
    note_write(found->span, found->index, found->note.site, found->note.slack);
    observer->kept(block, found->note.site, found->size_freed, found->block_size);
}

// --- allocation
// ------------------------------------------------------------------------------------

static void *no_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

// Nobody asked for an alignment: every block has that of a granule.
enum { ALIGN_ANY = 0 };

// The class that serves such a request; 0 when none does.
static unsigned small_class(size_t size, size_t align)
{
    if (size > SMALL_SIZE_MAX || align > PAGE_SIZE) return 0;
    return align <= GRANULE ? size_class_of(size) : size_class_of_aligned(size, align);
}

// A live block of `class` that nobody has been told of.
static void *take_small(unsigned class, enum block_fit fit, struct span **span_out)
{
    if (UNLIKELY(idle_has_left())) return idle_take_block(class, fit, span_out);
    struct thread_heap *self = idle_get_heap();
    return self ? thread_heap_take_live(self, class, fit, span_out) : NULL;
}

// A live block of at least `size` bytes that nobody has been told of; *is_zero_out says whether it
// is known to be zero.
static void *take(size_t size, size_t align, enum page_wish wish, struct span **span_out,
                  bool *is_zero_out)
{
    *is_zero_out = false;
    unsigned class = small_class(size, align);
    if (class) return take_small(class, align == ALIGN_ANY ? FIT_LARGER : FIT_EXACT, span_out);
    if (size > PTRDIFF_MAX || align > PTRDIFF_MAX) return NULL;
    struct span *span = large_take(size, align, wish);
    if (!span) return NULL;
    *is_zero_out = !span->is_dirty;
    *span_out = span;
    return (void *)span->base;
}

// A block of no bytes takes room as one of a single byte does: it has an address of its own.
static inline size_t size_at_least_one(size_t size)
{
    return size | !size;
}

// See observer.h; `size` is not 0. What no block can hold stays so.
static inline size_t size_with_end(const struct heap_observer *observer, size_t size)
{
    return size - 1 >= observer->apart_from - 1 && size < PTRDIFF_MAX ? size + 1 : size;
}

static size_t size_to_take(size_t size, size_t align)
{
    const struct heap_observer *observer = heap_observed_by();
    size = size_at_least_one(size);
    return observer && align == ALIGN_ANY ? size_with_end(observer, size) : size;
}

static void *allocate(size_t size, size_t align, enum page_wish wish, bool *is_zero_out)
{
    struct span *span;
    void *block = take(size_to_take(size, align), align, wish, &span, is_zero_out);
    if (UNLIKELY(!block)) return no_memory();
    return record_allocation(span, block, size);
}

NOINLINE void *heap_alloc_slow(size_t size)
{
    const struct heap_observer *observer = heap_observed_by();
    const size_t wanted = observer && size > 0 ? size_with_end(observer, size) : 0;
    if (wanted - 1 < SMALL_SIZE_MAX) {
        struct span *span;
        unsigned class = size_class_of(wanted);
        void *block = thread_heap_take_withheld(thread_heap, class, &span);
        if (LIKELY(block)) return observer->allocated(span, block, size);
    }
    bool is_zero;
    return allocate(size, ALIGN_ANY, PAGES_ANY, &is_zero);
}

void *heap_alloc(size_t size)
{
    return heap_alloc_fast(size);
}

void *heap_alloc_zeroed(size_t size)
{
    // All of the block: programs that ask for its size may use the rest.
    if (size <= SMALL_SIZE_MAX) {
        unsigned class = size_class_of(size_at_least_one(size));
        void *block = heap_take_fast(class);
        if (LIKELY(block)) return memset(block, 0, thread_heap->bins[class].block_size);
    }
    bool is_zero;
    void *block = allocate(size, ALIGN_ANY, PAGES_ZERO, &is_zero);
    if (block && !is_zero) memset(block, 0, heap_block_size(block));
    return block;
}

void *heap_alloc_aligned(size_t size, size_t align)
{
    size_t rounded = align_up(size, align); // its class's blocks all start at multiples of align
    if (rounded >= size && rounded <= TINY_SIZE_MAX) {
        unsigned class = size_class_of_tiny(rounded);
        bool is_exact = thread_heap->bins[class].block_size == class * GRANULE;
        void *block = LIKELY(is_exact) ? heap_take_fast(class) : NULL;
        if (LIKELY(block)) return block;
    }
    bool is_zero;
    return allocate(size, align, PAGES_ANY, &is_zero);
}

// --- free
// ------------------------------------------------------------------------------------------

// Frees without telling anybody. `verb` is whose fault a double free would be.
static void release(const char *verb, const struct found *found, void *block)
{
    struct span *span = found->span;
    if (!span_is_small(span)) {
        misuse_note_freed(span->base, span->size, span->size);
        if (UNLIKELY(!large_claim(span))) misuse_panic(verb, block);
        large_give(span);
        return;
    }
    struct thread_heap *self = thread_heap;
    // acquire: pairs with the release in idle_adopt_span()
    if (atomic_load_explicit(&span->owner, memory_order_acquire) == self) {
        thread_heap_give_block(self, span, (uintptr_t)block);
    } else {
        remote_free(self, span, (uintptr_t)block);
    }
}

void heap_free_named(void *block, const char *verb)
{
    if (!block) return;
    struct found found;
    if (UNLIKELY(!find(block, &found))) {
        misuse_free(verb, block);
        return;
    }
    record_free(&found, block);
    release(verb, &found, block);
}

// A live small block of the calling thread's, with a note in its place: the common case while
// somebody watches. False, and nothing is done, when it is another.
static ALWAYS_INLINE bool free_observed(const struct heap_observer *observer, void *block)
{
    uintptr_t address = (uintptr_t)block;
    if (UNLIKELY(address % GRANULE || address >> SPAN_MAP_ADDRESS_BITS)) return false;
    struct span *span = span_map_peek(address);
    struct thread_heap *self = thread_heap;
    // acquire: pairs with the release in idle_adopt_span()
    if (UNLIKELY(!span || !span_is_small(span)) ||
        UNLIKELY(atomic_load_explicit(&span->owner, memory_order_acquire) != self)) {
        return false;
    }
    const struct plane_cell *cell = span_cell(span, address);
    uint64_t live = atomic_load_explicit(&cell->live, memory_order_relaxed);
    uint64_t pending = atomic_load_explicit(&cell->pending, memory_order_relaxed);
    if (UNLIKELY(!(live & ~pending & span_bit(address)))) return false;
    const uint32_t index = span_index(span, address);
    struct note note = note_read(span, index);
    size_t block_size = span->block_size;
    observer->freeing(block, note.site, block_size - note.slack, block_size);
    note_write(span, index, 0, 0);
    thread_heap_give_block(self, span, address);
    return true;
}

NOINLINE void heap_free_slow(void *block)
{
    const struct heap_observer *observer = heap_observed_by();
    if (observer && free_observed(observer, block)) return;
    heap_free_named(block, "free");
}

void heap_free(void *block)
{
    heap_free_fast(block);
}

// --- sizes
// -----------------------------------------------------------------------------------------

size_t heap_block_size_named(const void *block, const char *verb)
{
    struct found found;
    return LIKELY(find(block, &found)) ? found.block_size : misuse_block_size(verb, block);
}

size_t heap_block_size(const void *block)
{
    return heap_block_size_named(block, "malloc_usable_size");
}

size_t heap_peek_size(const void *block)
{
    struct found found;
    return find(block, &found) ? found.block_size : 0;
}

size_t heap_size_for(size_t size, size_t align)
{
    if (size == 0) size = 1;
    if (size > PTRDIFF_MAX || align > PTRDIFF_MAX) return 0;
    unsigned class = small_class(size, align);
    return class ? size_class_size(class) : large_size_for(size);
}

// Whether a block of that size serves a request well enough to stay: big enough, and either small
// or not more than two thirds empty. Borrowed blocks are at most twice the class asked for: less
// would have realloc() copy one to another like it, again and again.
static bool fits(const struct found *found, size_t size)
{
    return size <= found->block_size && (found->block_size <= 64 || size > found->block_size / 3);
}

// Whether a block can be resized by moving pages instead of bytes.
static bool resize_large_is_possible(const struct found *found, size_t size)
{
    if (span_is_small(found->span) || size <= SMALL_SIZE_MAX || size > PTRDIFF_MAX) return false;
    return span_state(found->span) == SPAN_DIRECT || size < large_direct_size_min() ||
           size <= found->block_size;
}

// Does so. The new place, or NULL when nothing changed.
static void *resize_large(struct found *found, size_t size, bool may_move)
{
    if (!large_resize(found->span, size, may_move)) {
        struct span *moved = may_move ? large_move(found->span, size) : NULL;
        if (!moved) return NULL;
        found->span = moved;
    }
    found->block_size = found->span->size;
    return (void *)found->span->base;
}

// Resizes a large block to hold `least` bytes as resize_large() does, and tells the observer, if
// that succeeds, that it serves `size`. A block may move, and then its old address may be another
// thread's at once: if it was noted, its free is recorded first, and found->is_freed says so when
// nothing came of it.
static void *resize_recorded(struct found *found, void *block, size_t least, size_t size,
                             bool may_move)
{
    if (LIKELY(!heap_observed_by())) return resize_large(found, least, may_move);
    bool is_first = may_move && least > found->block_size && note_read(found->span, 0).site != 0;
    struct found was = *found;
    if (is_first) record_free(&was, block);
    void *place = resize_large(found, least, may_move);
    if (!place) {
        *found = was;
        return NULL;
    }
    if (!is_first) { // not noted, or in place: the note is still where it was
        was.span = found->span;
        record_free(&was, block);
    }
    record_resize(&was, found->span, place, size);
    return place;
}

// The block stays as it is and serves another request.
static void record_reuse(struct found *found, void *block, size_t size)
{
    if (LIKELY(!heap_observed_by())) return;
    if (!found->is_freed) record_free(found, block);
    record_resize(found, found->span, block, size);
}

bool heap_resize(void *block, size_t size)
{
    struct found found;
    if (UNLIKELY(!find(block, &found))) return size <= misuse_block_size("realloc", block);
    bool is_small = span_is_small(found.span);
    if (!is_small) {
        // Large blocks stay large, but need not keep all their pages.
        size_t least = size > SMALL_SIZE_MAX ? size : (size_t)SMALL_SIZE_MAX + 1;
        if (resize_large_is_possible(&found, least) &&
            resize_recorded(&found, block, least, size, false)) {
            return true;
        }
    }
    if (size > found.block_size) return false;
    record_reuse(&found, block, size);
    return true;
}

bool heap_resize_closely(void *block, size_t size)
{
    struct found found;
    if (UNLIKELY(!find(block, &found))) return size <= misuse_block_size("realloc", block);
    if (!span_is_small(found.span)) {
        return resize_large_is_possible(&found, size) &&
               resize_recorded(&found, block, size, size, false) != NULL;
    }
    if (!fits(&found, size)) return false;
    record_reuse(&found, block, size);
    return true;
}

// No block of another size is to be had: the old one stays.
static void *keep_block(struct found *found, void *block, size_t size)
{
    if (size <= found->block_size) {
        record_reuse(found, block, size);
        return block;
    }
    record_keep(found, block);
    return no_memory();
}

// Copies the block to one of another size. `verb` is whose fault a double free would be.
static void *move_block(const char *verb, struct found *found, void *block, size_t size)
{
    struct span *span = NULL;
    bool is_zero;
    size_t least = size_at_least_one(size);
    void *place = least <= SMALL_SIZE_MAX ? heap_take_fast(size_class_of(least)) : NULL;
    bool is_observed = !place && heap_observed_by(); // else the list would have been empty
    if (!place) {
        place = take(size_to_take(size, ALIGN_ANY), ALIGN_ANY, PAGES_ANY, &span, &is_zero);
    }
    if (UNLIKELY(!place)) return keep_block(found, block, size);
    memcpy(place, block, size < found->block_size ? size : found->block_size);
    if (LIKELY(!is_observed)) {
        heap_free_fast(block);
        return place;
    }
    if (!found->is_freed) record_free(found, block);
    release(verb, found, block);
    record_resize(found, span, place, size);
    return place;
}

void *heap_realloc_named(void *block, size_t size, const char *verb)
{
    struct found found;
    if (UNLIKELY(!find(block, &found))) return misuse_realloc(verb, block, size);
    if (span_is_small(found.span) && fits(&found, size)) {
        record_reuse(&found, block, size);
        return block;
    }
    if (resize_large_is_possible(&found, size)) {
        void *place = resize_recorded(&found, block, size, size, true);
        if (place) return place;
    }
    return move_block(verb, &found, block, size);
}

void *heap_realloc(void *block, size_t size)
{
    return heap_realloc_named(block, size, "realloc");
}
