// Leak test: what the tests of a leak scan share: blocks, an arena that the heap knows nothing of,
// and one scan at a time.
#pragma once

#include "heap/heap.h"
#include "track/leak_scan.h"
#include "track/tracked.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// The test's own memory must not be the heap's that is looked at: it is libc's.
static uint64_t seed;

static inline uint64_t random_number(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

// All of it, since all of it is looked at.
static inline void *block_of(size_t size)
{
    void *block = heap_alloc(size);
    assert_non_null(block);
    return memset(block, 0, heap_block_size(block));
}

static struct leak_scan scan;

static inline void begin(void)
{
    assert_true(leak_scan_begin(&scan));
}

static inline void finish(void)
{
    leak_scan_reach(&scan);
    leak_scan_split(&scan);
}

static inline void expect_kind(const void *block, enum record_leak_kind kind)
{
    assert_int_equal(leak_scan_kind(&scan, (uintptr_t)block), kind);
}

enum { ARENA_SIZE = 1 << 20 };
static char *arena; // of libc's, which the heap knows nothing of

static inline void track_range(void *start, size_t size)
{
    const struct tracked_range range = {.start = (uintptr_t)start, .size = size, .site = 1};
    assert_true(tracked_add(&range));
}

static inline void untrack_all(void *const *starts, size_t count)
{
    struct tracked_range was;
    for (size_t i = 0; i < count; i++) assert_true(tracked_remove((uintptr_t)starts[i], &was));
    assert_int_equal(tracked_count(), 0);
    memset(arena, 0, ARENA_SIZE);
}

static inline enum record_leak_kind kind_of_tracked(const void *start)
{
    const size_t at = leak_tracked_before(&scan.tracked, (uintptr_t)start);
    assert_true(at > 0);
    assert_ptr_equal((const void *)scan.tracked.all[at - 1].start, start);
    return leak_scan_kind_tracked(&scan, at - 1);
}

static inline void leak_test_begin(void)
{
    seed = (uint64_t)time(NULL) << 20 | 1;
    (void)fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
    arena = calloc(1, ARENA_SIZE);
    if (!arena) abort();
}
