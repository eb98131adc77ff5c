// Heap test: what the heap's test programs share.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "heap/heap.h"
#include "heap/resolve.h"
#include "heap_check.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

// Runs `body` in a thread of its own, to its end.
static inline void *run_in_thread(void *(*body)(void *argument), void *argument)
{
    pthread_t thread;
    void *value;
    assert_int_equal(pthread_create(&thread, NULL, body, argument), 0);
    assert_int_equal(pthread_join(thread, &value), 0);
    return value;
}

static inline void *free_block(void *block)
{
    heap_free(block);
    return NULL;
}

static inline void free_in_thread(void *block)
{
    (void)run_in_thread(free_block, block);
}

// What a word of this process is to the heap; false: nothing.
static inline bool resolve_own(uintptr_t word, struct heap_block *block_out)
{
    struct memory_reader reader = memory_reader_own();
    return heap_resolve(&reader, (uintptr_t)&mete_heap_root, word, block_out);
}

// Blocks that heap_walk() finds.
static inline bool count_visit(void *context, const struct heap_block *block)
{
    (void)block;
    ++*(size_t *)context;
    return true;
}

static inline size_t count_walked(void)
{
    struct memory_reader reader = memory_reader_own();
    size_t count = 0;
    assert_int_equal(heap_walk(&reader, (uintptr_t)&mete_heap_root, count_visit, &count), 0);
    return count;
}

// Where large blocks become DIRECT; the other settings stay.
static inline void set_direct_size(size_t size)
{
    struct heap_settings settings = heap_settings();
    settings.direct_size_min = size;
    heap_configure(&settings);
}
