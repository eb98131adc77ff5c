// Family: what the tests of the malloc family share: patterns, alignment, seeds, resident memory.
// The tests call the C library's names and link nothing of mete, so that the same program runs with
// glibc (which proves the test) and with the preload object (which is what is tested).
// Nothing here allocates, except that cmocka does before a case begins.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define KIB ((size_t)1024)
#define MIB ((size_t)1024 * KIB)
#define GIB ((size_t)1024 * MIB)

// A number that no allocator sets, to see that errno was left alone.
#define ERRNO_UNTOUCHED 4711

// The compiler must not know the value, or it warns of sizes that we ask for on purpose and
// removes pairs of malloc and free.
size_t size_hidden(size_t size);
void *pointer_hidden(void *pointer);

bool is_aligned(const void *pointer, size_t align);
bool is_filled_with(const void *block, size_t size, unsigned char byte);

// A pattern that differs for every seed and position; verify returns the index of the first byte
// that is wrong, or `size`.
void pattern_fill(void *block, size_t size, uint64_t seed);
size_t pattern_verify(const void *block, size_t size, uint64_t seed);

// Writes one byte in every page and the last one.
void pages_touch(void *block, size_t size);

// Numbers for random tests; seed_choose takes FAMILY_SEED or asks the kernel, and prints the seed.
uint64_t seed_choose(const char *test);
uint64_t random_next(uint64_t *state);
// In [0, bound), and small values as likely as big ones: the logarithm is evenly spread.
size_t random_size(uint64_t *state, size_t bound);

// Memory of this process that is in RAM, without allocating.
size_t resident_bytes(void);

// Sizes at which allocators change their mind, each to be tried with its neighbours.
extern const size_t edge_sizes[];
extern const size_t edge_sizes_count;

// Sizes that no allocator can serve, and those above PTRDIFF_MAX that it must not try to.
extern const size_t impossible_sizes[];
extern const size_t impossible_sizes_count;

#define assert_all_pattern(block, size, seed)                                                      \
    assert_int_equal(pattern_verify((block), (size), (seed)), (size))

#define assert_aligned(pointer, align) assert_int_equal((uintptr_t)(pointer) % (align), 0)
