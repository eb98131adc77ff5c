#include "preload/perturb.h"

#include "heap/heap.h"

#include <errno.h>
#include <string.h>

_Atomic int perturb_value;

static int fill_byte(void)
{
    return atomic_load_explicit(&perturb_value, memory_order_relaxed); // as in perturb_is_on()
}

void perturb_set(int value)
{
    atomic_store_explicit(&perturb_value, value, memory_order_relaxed); // as in perturb_is_on()
}

COLD void *perturb_allocated(void *block, size_t size)
{
    return block ? memset(block, fill_byte() ^ 0xff, size) : NULL;
}

COLD void perturb_freeing(void *block)
{
    size_t size = heap_peek_size(block);
    // A direct block is unmapped, which is fill enough; writing to it could make gigabytes resident
    // that the program never touched. glibc leaves its mmapped chunks alone for the same reason.
    if (size >= heap_settings().direct_size_min) return;
    memset(block, fill_byte(), size);
}

COLD void *perturb_realloc(void *block, size_t size, const char *verb)
{
    size_t old_size = heap_peek_size(block);
    if (old_size == 0) return heap_realloc_named(block, size, verb); // no block of ours
    if (heap_resize_closely(block, size)) {
        if (size > old_size) {
            memset((char *)block + old_size, fill_byte() ^ 0xff, size - old_size);
        }
        return block;
    }
    int saved_errno = errno;
    void *moved = perturb_allocated(heap_alloc(size), size);
    if (!moved) {
        // No smaller block is to be had: the old one serves, as with heap_realloc().
        if (!heap_resize(block, size)) return NULL;
        errno = saved_errno;
        return block;
    }
    memcpy(moved, block, size < old_size ? size : old_size);
    perturb_freeing(block);
    heap_free_named(block, verb);
    return moved;
}
