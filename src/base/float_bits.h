// Float bits: a whole number as a float of 32 bits (IEEE 754), by integers alone. What runs inside
// malloc keeps off the vector registers, in which floats live: see src/meson.build.
#pragma once

#include "base/align.h"

#include <stdbool.h>
#include <stdint.h>

// Those of (float)value: of the two nearest that are as near, the even one.
static inline uint32_t float_bits(int64_t value)
{
    enum { FRACTION_BITS = 23, EXPONENT_BIAS = 127 };
    if (value == 0) return 0;
    const uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    const unsigned top = log2_floor(size);
    uint64_t fraction;
    bool is_up = false;
    if (top <= FRACTION_BITS) {
        fraction = size << (FRACTION_BITS - top);
    } else {
        const unsigned lost = top - FRACTION_BITS;
        const uint64_t half = UINT64_C(1) << (lost - 1);
        fraction = size >> lost;
        const uint64_t rest = size - (fraction << lost);
        is_up = rest > half || (rest == half && fraction % 2 != 0);
    }
    // The leading one, and what rounding carries beyond it, belong to the exponent.
    const uint32_t bits = ((top + EXPONENT_BIAS - 1) << FRACTION_BITS) + (uint32_t)fraction + is_up;
    return value < 0 ? bits | (uint32_t)1 << 31 : bits;
}
