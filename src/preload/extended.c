// Extended: jemalloc's calls that take or return blocks, for programs that ask for them by name
// (Debian's redis-server does). They must be ours: a block of jemalloc's, given to our free(),
// would not be from this heap. For mallctl() see control.c. As in jemalloc a size of 0 or a NULL
// block is the caller's bug; here the size counts as 1.
// nallocx() foretells what mallocx() gives, so that asks for blocks of just that size.

#include "heap/heap.h"
#include "preload/export.h"
#include "preload/extended_flags.h"
#include "preload/family.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

EXPORT void *mallocx(size_t size, int flags);
EXPORT void *rallocx(void *block, size_t size, int flags);
EXPORT size_t xallocx(void *block, size_t size, size_t extra, int flags);
EXPORT size_t sallocx(const void *block, int flags);
EXPORT void dallocx(void *block, int flags);
EXPORT void sdallocx(void *block, size_t size, int flags);
EXPORT size_t nallocx(size_t size, int flags);

static bool is_aligned(const void *block, size_t align)
{
    return ((uintptr_t)block & (align - 1)) == 0;
}

static void *zero_from(void *block, size_t begin)
{
    if (block == NULL) return NULL;
    size_t end = heap_block_size(block);
    if (end > begin) memset((char *)block + begin, 0, end - begin);
    return block;
}

static void *allocate(size_t size, int flags)
{
    size_t align = extended_align(flags);
    // Zero to the end of the block, not of the request: where rallocx() and xallocx() go on.
    if (extended_is_zeroed(flags)) return zero_from(heap_alloc_aligned(size, align), 0);
    void *block = heap_alloc_aligned(size, align);
    return perturb_is_on() ? perturb_allocated(block, size) : block;
}

EXPORT void *mallocx(size_t size, int flags)
{
    return allocate(size, flags);
}

// Resizes in place, unless a block that would be mostly empty can make way for a smaller one. With
// an alignment there may be none.
static bool resize_here(void *block, size_t old_size, size_t size, size_t align)
{
    if (!is_aligned(block, align)) return false;
    bool is_smallest = heap_size_for(size, align) >= old_size;
    return is_smallest ? heap_resize(block, size) : heap_resize_closely(block, size);
}

// Zeroing begins at the old block size (not at the old request), says jemalloc's manual.
EXPORT void *rallocx(void *block, size_t size, int flags)
{
    size_t align = extended_align(flags);
    size_t old_size = heap_block_size_named(block, "rallocx");
    if (resize_here(block, old_size, size, align)) {
        return extended_is_zeroed(flags) ? zero_from(block, old_size) : block;
    }
    int saved_errno = errno;
    void *moved = allocate(size, flags);
    if (moved == NULL) {
        // No smaller block is to be had: the old one serves.
        if (!is_aligned(block, align) || !heap_resize(block, size)) return NULL;
        errno = saved_errno;
        return block;
    }
    memcpy(moved, block, size < old_size ? size : old_size);
    family_free_named(block, "rallocx");
    return moved;
}

EXPORT size_t xallocx(void *block, size_t size, size_t extra, int flags)
{
    size_t old_size = heap_block_size_named(block, "xallocx");
    if (!is_aligned(block, extended_align(flags))) return old_size;
    size_t wanted;
    if (__builtin_add_overflow(size, extra, &wanted)) wanted = SIZE_MAX;
    if (!heap_resize(block, wanted)) (void)heap_resize(block, size); // the answer is the size below
    if (extended_is_zeroed(flags)) (void)zero_from(block, old_size); // it is the same block
    return heap_block_size(block);
}

EXPORT size_t sallocx(const void *block, int flags)
{
    (void)flags;
    return heap_block_size_named(block, "sallocx");
}

EXPORT void dallocx(void *block, int flags)
{
    (void)flags;
    family_free_named(block, "dallocx");
}

EXPORT void sdallocx(void *block, size_t size, int flags)
{
    (void)size; // the heap knows it
    (void)flags;
    family_free_named(block, "sdallocx");
}

EXPORT size_t nallocx(size_t size, int flags)
{
    size_t real_size = heap_size_for(size, extended_align(flags));
    return real_size <= PTRDIFF_MAX ? real_size : 0; // what no call could return is no size
}
