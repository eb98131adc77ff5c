// Malloc: libc's family, under libc's names, as glibc 2.36 has it where C and POSIX leave room.
// Each function is a thin skin: family.h says what the call means, the heap how it is done.

#include "heap/fast.h"
#include "preload/export.h"
#include "preload/family.h"

#include <malloc.h>
#include <stdlib.h>

EXPORT void *malloc(size_t size)
{
    if (perturb_is_on()) return family_alloc(size);
    return heap_alloc_fast(size);
}

EXPORT void free(void *block)
{
    if (perturb_is_on()) {
        family_free(block);
        return;
    }
    heap_free_fast(block); // NULL leaves the fast path as any address without a span does
}

EXPORT void *calloc(size_t count, size_t size)
{
    return family_alloc_zeroed(count, size);
}

EXPORT void *realloc(void *block, size_t size)
{
    return family_realloc(block, size, "realloc");
}

EXPORT void *reallocarray(void *block, size_t count, size_t size)
{
    size_t bytes;
    if (UNLIKELY(__builtin_mul_overflow(count, size, &bytes))) return family_fail(ENOMEM);
    return family_realloc(block, bytes, "reallocarray");
}

EXPORT int posix_memalign(void **block_out, size_t align, size_t size)
{
    if (align < sizeof(void *) || !is_power_of_two(align)) return EINVAL;
    void *block = family_alloc_aligned(align, size);
    if (block == NULL) return ENOMEM; // errno says so too, as with glibc's: programs ask it
    *block_out = block;
    return 0;
}

EXPORT void *aligned_alloc(size_t align, size_t size)
{
    return family_alloc_aligned(align, size);
}

EXPORT void *memalign(size_t align, size_t size)
{
    return family_alloc_aligned(align, size);
}

EXPORT void *valloc(size_t size)
{
    return family_alloc_aligned(PAGE_SIZE, size);
}

EXPORT void *pvalloc(size_t size)
{
    return family_alloc_pages(size);
}

EXPORT size_t malloc_usable_size(void *block)
{
    return block ? heap_block_size(block) : 0;
}

// C23's, which glibc 2.36 does not declare yet. A wrong size is the program's bug, but no reason to
// treat the block otherwise: the heap knows its size.

EXPORT void free_sized(void *block, size_t size);
EXPORT void free_sized(void *block, size_t size)
{
    (void)size;
    family_free_named(block, "free_sized");
}

EXPORT void free_aligned_sized(void *block, size_t align, size_t size);
EXPORT void free_aligned_sized(void *block, size_t align, size_t size)
{
    (void)align;
    (void)size;
    family_free_named(block, "free_aligned_sized");
}

// SunOS's name for free, still exported by glibc for programs linked before 2.26.
EXPORT void cfree(void *block);
EXPORT void cfree(void *block)
{
    family_free_named(block, "cfree");
}

// glibc's second set of names, for code that means "the real one" (old tools that wrap malloc do).
// What they give must be ours too, or the program's free() would meet a block of another heap.
// A panic says free and realloc: that is what the program called if its own function passed it on.
EXPORT void *__libc_malloc(size_t size);
EXPORT void *__libc_malloc(size_t size)
{
    return family_alloc(size);
}

EXPORT void __libc_free(void *block);
EXPORT void __libc_free(void *block)
{
    family_free(block);
}

EXPORT void *__libc_calloc(size_t count, size_t size);
EXPORT void *__libc_calloc(size_t count, size_t size)
{
    return family_alloc_zeroed(count, size);
}

EXPORT void *__libc_realloc(void *block, size_t size);
EXPORT void *__libc_realloc(void *block, size_t size)
{
    return family_realloc(block, size, "realloc");
}

EXPORT void *__libc_memalign(size_t align, size_t size);
EXPORT void *__libc_memalign(size_t align, size_t size)
{
    return family_alloc_aligned(align, size);
}

EXPORT void *__libc_valloc(size_t size);
EXPORT void *__libc_valloc(size_t size)
{
    return family_alloc_aligned(PAGE_SIZE, size);
}

EXPORT void *__libc_pvalloc(size_t size);
EXPORT void *__libc_pvalloc(size_t size)
{
    return family_alloc_pages(size);
}

// --- by name
// ----------------------------------------------------------------------------------------

// A name that no program can put its own in place of; gcc wants it to promise the same.
#if __has_attribute(copy)
#define AS(name) copy(name)
#else
#define AS(name)
#endif
#define OURS(name)                                                                                 \
    extern __typeof__(name) ours_##name                                                            \
        __attribute__((AS(name), alias(#name), visibility("hidden")));
#define MEMBER(name) {#name, (uintptr_t)(ours_##name)},
#define MEMBERS(X)                                                                                 \
    X(malloc)                                                                                      \
    X(free)                                                                                        \
    X(calloc)                                                                                      \
    X(realloc)                                                                                     \
    X(reallocarray)                                                                                \
    X(posix_memalign)                                                                              \
    X(aligned_alloc)                                                                               \
    X(memalign)                                                                                    \
    X(valloc)                                                                                      \
    X(pvalloc)                                                                                     \
    X(cfree)                                                                                       \
    X(malloc_usable_size)                                                                          \
    X(__libc_malloc)                                                                               \
    X(__libc_free)                                                                                 \
    X(__libc_calloc)                                                                               \
    X(__libc_realloc)                                                                              \
    X(__libc_memalign)                                                                             \
    X(__libc_valloc)                                                                               \
    X(__libc_pvalloc)

MEMBERS(OURS)

const struct family_member family_members[] = {MEMBERS(MEMBER)};
const size_t family_members_count = sizeof family_members / sizeof family_members[0];
