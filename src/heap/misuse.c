#include "heap/misuse.h"

#include "base/panic.h"
#include "base/text.h"
#include "heap/heap.h"
#include "heap/span_map.h"

enum { FREED_COUNT = 256 }; // 6 KiB of memory, touched as it fills (guess)

static struct {
    _Atomic size_t cursor;
    struct {
        _Atomic uintptr_t base;
        _Atomic size_t size;
        _Atomic size_t block_size;
    } freed[FREED_COUNT];
    const struct heap_neighbour *neighbour;
} state;

// What this thread has given to the neighbour just now. A neighbour that gives it back to us is no
// allocator but passes calls on, and nobody knows the pointer.
static _Thread_local const void *given;

void misuse_note_freed(uintptr_t base, size_t size, size_t block_size)
{
    size_t i = atomic_fetch_add_explicit(&state.cursor, 1, memory_order_relaxed) % FREED_COUNT;
    atomic_store_explicit(&state.freed[i].base, base, memory_order_relaxed);
    atomic_store_explicit(&state.freed[i].size, size, memory_order_relaxed);
    atomic_store_explicit(&state.freed[i].block_size, block_size, memory_order_relaxed);
}

// What the user did, and what it is if the block was freed before.
struct deed {
    const char *verb;
    const void *pointer;
    const char *crime;
};

_Noreturn static void panic_freed(const struct deed *deed, size_t block_size)
{
    char buffer[128];
    struct text reason = text_in(buffer, sizeof buffer);
    text_add(&reason, deed->crime);
    text_add(&reason, " block of ");
    text_add_decimal(&reason, block_size);
    text_add(&reason, " bytes");
    panic(deed->verb, deed->pointer, buffer);
}

_Noreturn static void panic_inside(const struct deed *deed, uintptr_t block, size_t block_size,
                                   bool is_free)
{
    char buffer[160];
    struct text reason = text_in(buffer, sizeof buffer);
    text_add_decimal(&reason, (uintptr_t)deed->pointer - block);
    text_add(&reason, " bytes into a block of ");
    text_add_decimal(&reason, block_size);
    text_add(&reason, " bytes at ");
    text_add_hex(&reason, block);
    if (is_free) text_add(&reason, " that is free");
    panic(deed->verb, deed->pointer, buffer);
}

_Noreturn static void panic_in_small(const struct deed *deed, const struct span *span)
{
    uintptr_t address = (uintptr_t)deed->pointer;
    uint32_t index = span_index(span, address);
    if (index >= span->capacity) {
        panic(deed->verb, deed->pointer, "not a block: behind the last one of a span");
    }
    uintptr_t block = span_block(span, index);
    const struct plane_cell *cell = span_cell(span, block);
    bool is_live = cell->live & ~cell->pending & span_bit(block);
    if (address != block) panic_inside(deed, block, span->block_size, !is_live);
    size_t page = (block - span->base) >> PAGE_SHIFT;
    if (page >= span->touched_pages) {
        panic(deed->verb, deed->pointer, "not a block: never handed out");
    }
    panic_freed(deed, span->block_size);
}

_Noreturn static void panic_of(const struct deed *deed)
{
    uintptr_t address = (uintptr_t)deed->pointer;
    const struct span *span = span_map_find(address);
    if (span && span_is_small(span)) panic_in_small(deed, span);
    if (span && address != span->base) {
        panic_inside(deed, span->base, span->size, span->announced == 0);
    }
    if (span) panic_freed(deed, span->size);
    for (size_t i = 1; i <= FREED_COUNT; i++) { // the latest first
        size_t place = (state.cursor - i) % FREED_COUNT;
        size_t offset = address - state.freed[place].base;
        size_t block_size = state.freed[place].block_size;
        if (offset >= state.freed[place].size || block_size == 0) continue;
        if (offset % block_size == 0) panic_freed(deed, block_size);
        panic_inside(deed, address - offset % block_size, block_size, true);
    }
    panic(deed->verb, deed->pointer, "not from this heap");
}

_Noreturn COLD void misuse_panic(const char *verb, const void *pointer)
{
    panic_of(&(struct deed){verb, pointer, "double free of a"});
}

// The same of a call that was to use the block: to resize it, or to tell its size.
_Noreturn static void panic_use(const char *verb, const void *pointer)
{
    panic_of(&(struct deed){verb, pointer, "use of a freed"});
}

void heap_set_neighbour(const struct heap_neighbour *neighbour)
{
    state.neighbour = neighbour;
}

// Whether the pointer may be the neighbour's. What was freed here long ago may: we gave memory
// back, and the kernel gave it to the neighbour.
static bool is_foreign(const void *pointer)
{
    const struct heap_neighbour *neighbour = state.neighbour;
    if (!neighbour || pointer == given || span_map_find((uintptr_t)pointer)) return false;
    return !neighbour->has_blocks || neighbour->has_blocks();
}

COLD void misuse_free(const char *verb, void *pointer)
{
    if (!is_foreign(pointer) || !state.neighbour->free) misuse_panic(verb, pointer);
    const void *given_before = given;
    given = pointer;
    state.neighbour->free(pointer);
    given = given_before;
}

COLD void *misuse_realloc(const char *verb, void *pointer, size_t size)
{
    if (!is_foreign(pointer) || !state.neighbour->realloc) panic_use(verb, pointer);
    const void *given_before = given;
    given = pointer;
    void *moved = state.neighbour->realloc(pointer, size);
    given = given_before;
    return moved;
}

COLD size_t misuse_block_size(const char *verb, const void *pointer)
{
    if (!is_foreign(pointer) || !state.neighbour->block_size) panic_use(verb, pointer);
    const void *given_before = given;
    given = pointer;
    size_t size = state.neighbour->block_size((void *)pointer);
    given = given_before;
    return size;
}
