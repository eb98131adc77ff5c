// Extended flags: what the flags of jemalloc's mallocx() family say, as its manual has them.
//   bits 0–5    MALLOCX_LG_ALIGN: log2 of the alignment; 0 asks for none
//   bit 6       MALLOCX_ZERO
//   bits 8–19   MALLOCX_TCACHE, bits 20–31 MALLOCX_ARENA: which of jemalloc's caches; we have none
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum {
    EXTENDED_ALIGN_MASK = 0x3f,
    EXTENDED_ZERO = 0x40,
};

// The alignment asked for, a power of two; 1 where none is.
static inline size_t extended_align(int flags)
{
    return (size_t)1 << (flags & EXTENDED_ALIGN_MASK);
}

static inline bool extended_is_zeroed(int flags)
{
    return (flags & EXTENDED_ZERO) != 0;
}
