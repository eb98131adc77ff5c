// Family: what the members of the malloc family are made of, under names no program can replace.
// A member must not call another by its exported name: a program may have put its own there.
// Where a function is passed as `verb`, a panic says that the user called it.
#pragma once

#include "base/align.h"
#include "base/attributes.h"
#include "heap/heap.h"
#include "os/pages.h"
#include "preload/perturb.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

static inline void *family_fail(int error)
{
    errno = error;
    return NULL;
}

static inline void *family_alloc(size_t size)
{
    if (perturb_is_on()) return perturb_allocated(heap_alloc(size), size);
    return heap_alloc(size);
}

static inline void *family_alloc_zeroed(size_t count, size_t size)
{
    size_t bytes;
    if (UNLIKELY(__builtin_mul_overflow(count, size, &bytes))) return family_fail(ENOMEM);
    return heap_alloc_zeroed(bytes);
}

// NULL is nothing to free.
static inline void family_free(void *block)
{
    if (block == NULL) return;
    if (perturb_is_on()) perturb_freeing(block);
    heap_free(block);
}

// For the rarer members. It does not inline the heap's fast path.
static inline void family_free_named(void *block, const char *verb)
{
    if (perturb_is_on()) perturb_freeing(block);
    heap_free_named(block, verb);
}

// As glibc: a size of 0 frees the block, and the NULL that comes back is no failure.
static inline void *family_realloc(void *block, size_t size, const char *verb)
{
    if (block == NULL) return family_alloc(size);
    if (UNLIKELY(size == 0)) {
        if (perturb_is_on()) perturb_freeing(block);
        heap_free_named(block, verb);
        return NULL;
    }
    if (perturb_is_on()) return perturb_realloc(block, size, verb);
    return heap_realloc_named(block, size, verb);
}

// As glibc: an alignment that is no power of two counts as the next one.
static inline void *family_alloc_aligned(size_t align, size_t size)
{
    if (align <= _Alignof(max_align_t)) return family_alloc(size);
    if (align > SIZE_MAX / 2 + 1) return family_fail(EINVAL); // there is no next power of two
    if (!is_power_of_two(align)) align = (size_t)2 << log2_floor(align);

    void *block = heap_alloc_aligned(size, align);
    return perturb_is_on() ? perturb_allocated(block, size) : block;
}

static inline void *family_alloc_pages(size_t size)
{
    if (UNLIKELY(size > SIZE_MAX - (PAGE_SIZE - 1))) return family_fail(ENOMEM);
    return family_alloc_aligned(PAGE_SIZE, align_up(size, PAGE_SIZE));
}

// Our own functions, of the names that libc has too.
struct family_member {
    const char *name;
    uintptr_t function;
};
extern const struct family_member family_members[];
extern const size_t family_members_count;
