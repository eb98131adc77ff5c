// Attributes: the compiler hints everyone shares, under names that say what the reader should know.
#pragma once

// The branch that the common case takes, or does not.
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

// A function off the common path: kept out of line and out of the way.
#define COLD __attribute__((cold, noinline))

// A slow path that is still taken often: out of line, but optimised like the rest.
#define NOINLINE __attribute__((noinline))

// A fast path that must be part of its caller.
#define ALWAYS_INLINE inline __attribute__((always_inline))

// Bytes per cache line on every x86-64 and most aarch64 machines.
#define CACHE_LINE 64
