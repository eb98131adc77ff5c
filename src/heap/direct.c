#include "heap/direct.h"

#include "heap/page_heap.h"
#include "heap/span_map.h"

static struct {
    struct direct_figures figures; // under the page heap's lock
} state;

static void account(size_t removed, size_t added)
{
    state.figures.bytes = state.figures.bytes - removed + added; // removed first: it is unsigned
    page_heap_note_direct(state.figures.bytes);
}

static void *map(size_t size, size_t align)
{
    void *memory;
    do {
        memory = align > PAGE_SIZE ? pages_map_aligned(size, align) : pages_map(size);
    } while (!memory && page_heap_relieve());
    return memory;
}

struct span *direct_take(size_t page_count, size_t align)
{
    size_t size = page_count << PAGE_SHIFT;
    void *memory = map(size, align);
    if (!memory) return NULL;
    struct span *span = NULL;
    page_heap_lock();
    if (span_map_reserve((uintptr_t)memory, size)) {
        span = span_create((uintptr_t)memory, size, false);
    }
    if (span) {
        span_set_state(span, SPAN_DIRECT);
        span_map_add(span);
        account(0, size);
        state.figures.count++;
    }
    page_heap_unlock();
    if (!span) (void)pages_unmap(memory, size); // refused: untouched address space is lost
    return span;
}

void direct_give(struct span *span)
{
    size_t size = span->size;
    void *memory = (void *)span->base;
    page_heap_lock();
    span_map_remove(span);
    span_destroy(span);
    account(size, 0);
    state.figures.count--;
    page_heap_unlock();
    (void)pages_unmap(memory, size); // refused: purged, its address space is lost
}

// The span stands at `memory` now, `size` bytes long, in leaves that are there.
static void move_span(struct span *span, void *memory, size_t size)
{
    account(span->size, size);
    span_set_extent(span, (uintptr_t)memory, size);
    span_map_add(span);
}

// The kernel first: it refuses most, and a leaf once made for the map stays.
static bool grow_in_place(struct span *span, size_t size)
{
    char *end = (char *)span->base + span->size;
    page_heap_lock();
    bool is_longer = pages_remap((void *)span->base, span->size, size);
    bool done = is_longer && span_map_reserve(span->base, size);
    if (done) {
        span_map_remove(span);
        move_span(span, (void *)span->base, size);
    }
    page_heap_unlock();
    if (is_longer && !done) (void)pages_unmap(end, size - span->size); // cut off what is no use
    return done;
}

static bool move(struct span *span, size_t size)
{
    void *target = map(size, PAGE_SIZE);
    if (!target) return false;
    enum pages_moved moved = PAGES_STAYED;
    page_heap_lock();
    if (span_map_reserve((uintptr_t)target, size)) {
        // Out of the map before the old addresses may become somebody else's.
        span_map_remove(span);
        moved = pages_remap_to((void *)span->base, span->size, size, target);
        if (moved == PAGES_MOVED) {
            move_span(span, target, size);
        } else {
            span_map_add(span);
        }
    }
    page_heap_unlock();
    if (moved == PAGES_STAYED) (void)pages_unmap(target, size); // refused: it was never touched
    return moved == PAGES_MOVED;
}

static bool shrink(struct span *span, size_t size)
{
    void *rest = (char *)span->base + size;
    size_t rest_size = span->size - size;
    page_heap_lock();
    span_map_remove(span);
    move_span(span, (void *)span->base, size);
    page_heap_unlock();
    (void)pages_unmap(rest, rest_size); // refused: purged, its address space is lost
    return true;
}

bool direct_resize(struct span *span, size_t page_count, bool may_move)
{
    size_t size = page_count << PAGE_SHIFT;
    if (size == span->size) return true;
    if (size < span->size) return shrink(span, size);
    return grow_in_place(span, size) || (may_move && move(span, size));
}

struct direct_figures direct_figures(void)
{
    page_heap_lock();
    struct direct_figures figures = state.figures;
    page_heap_unlock();
    return figures;
}
