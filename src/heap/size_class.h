// Size class: the block sizes that spans are cut into.
// 16-byte steps to 1 KiB, then 32 per doubling to 32 KiB: so many that a program with many blocks
// of one size wastes little of each, and one with few blocks of many sizes shares the coarse ones
// (see borrow.h). Class 0 is never used, so that a request of 0 bytes finds no block on the fast
// path.
//
// Invariants: size_class_size(size_class_of(n)) >= n; sizes grow with the class; every size is a
// multiple of 16, and from 512 on of a 32nd of the power of two below it.
#pragma once

#include "base/align.h"
#include "base/attributes.h"

#include <stddef.h>

#define GRANULE_SHIFT 4
#define GRANULE ((size_t)1 << GRANULE_SHIFT) // alignment of every block

enum {
    TINY_SIZE_MAX = 512,        // up to here a class is a number of granules
    TINY_CLASS_MAX = 32,        // of blocks of TINY_SIZE_MAX
    SMALL_SIZE_MAX = 32 * 1024, // larger blocks are page runs of their own
    SPAN_PAGES_MAX = 16,        // of small spans: 64 KiB, whose cells' bits fit one word
    CLASS_STEPS_SHIFT = 5,
    CLASS_STEPS = 1 << CLASS_STEPS_SHIFT, // classes per doubling
    CLASS_COUNT = TINY_CLASS_MAX + 1 + 6 * CLASS_STEPS,
};

// The class of requests of `size` bytes, at most TINY_SIZE_MAX; 0 for 0.
static ALWAYS_INLINE unsigned size_class_of_tiny(size_t size)
{
    return (unsigned)((size + GRANULE - 1) >> GRANULE_SHIFT);
}

// The class of requests of `size` bytes, above TINY_SIZE_MAX, at most SMALL_SIZE_MAX.
static ALWAYS_INLINE unsigned size_class_of_medium(size_t size)
{
    unsigned doubling = log2_floor(size - 1);
    unsigned step = (unsigned)((size - 1) >> (doubling - CLASS_STEPS_SHIFT)) & (CLASS_STEPS - 1);
    return TINY_CLASS_MAX + 1 + (doubling - 9) * CLASS_STEPS + step;
}

// The same for any size from 1 to SMALL_SIZE_MAX.
static ALWAYS_INLINE unsigned size_class_of(size_t size)
{
    return size <= TINY_SIZE_MAX ? size_class_of_tiny(size) : size_class_of_medium(size);
}

// The class that serves requests of `class` while they are rare: the least that holds its blocks of
// four per doubling, itself up to 128 bytes.
unsigned size_class_coarse(unsigned class);

// Bytes per block of class 1 … CLASS_COUNT - 1.
static inline size_t size_class_size(unsigned class)
{
    if (class <= TINY_CLASS_MAX) return (size_t) class << GRANULE_SHIFT;
    unsigned step = class - (TINY_CLASS_MAX + 1);
    size_t steps = CLASS_STEPS + 1 + step % CLASS_STEPS;
    return steps << (step / CLASS_STEPS + 9 - CLASS_STEPS_SHIFT);
}

// The smallest class whose blocks hold `size` bytes (1 … SMALL_SIZE_MAX) and all start at multiples
// of `align` (a power of two up to the page size) in a span that does; 0 when there is none.
unsigned size_class_of_aligned(size_t size, size_t align);

// Pages of a bin's next span of `class`, when it has `spans` of them. Few at first, so
// that rare classes cost a page; more later, so that busy ones visit the page heap seldom.
unsigned size_class_span_pages(unsigned class, unsigned spans);
