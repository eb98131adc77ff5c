// Align: rounding of sizes and addresses. `align` is always a power of two.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool is_power_of_two(size_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

// May wrap to 0 near SIZE_MAX: callers bound their sizes first.
static inline size_t align_up(size_t value, size_t align)
{
    return (value + align - 1) & ~(align - 1);
}

static inline size_t align_down(size_t value, size_t align)
{
    return value & ~(align - 1);
}

// Floor of the binary logarithm; `value` is not 0.
static inline unsigned log2_floor(size_t value)
{
    return 63u - (unsigned)__builtin_clzl(value);
}
