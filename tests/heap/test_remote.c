// Protects: what other threads free comes back to its owner, all of it and once, whether the owner
// is busy, waiting or gone; and two frees of one block are caught where they meet.
#include "heap_test.h"

#include "../base/dying.h"
#include "heap/remote.h"
#include "heap/span_map.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static void what_others_freed_is_pending_until_the_owner_merges(void **state)
{
    (void)state;
    char *blocks[40];
    for (size_t i = 0; i < 40; i++) blocks[i] = heap_alloc(48);
    struct span *span = span_map_find((uintptr_t)blocks[0]);
    for (size_t i = 0; i < 40; i += 2) free_in_thread(blocks[i]);
    struct heap_census census = heap_check();
    assert_int_equal(census.pending_blocks, 20);
    assert_int_equal(census.live_blocks, 20);
    assert_ptr_equal(thread_heap->announced, span);
    remote_merge(thread_heap);
    census = heap_check();
    assert_int_equal(census.pending_blocks, 0);
    assert_int_equal(census.live_blocks, 20);
    assert_null(thread_heap->announced);
    for (size_t i = 1; i < 40; i += 2) heap_free(blocks[i]);
    (void)heap_check();
}

static void a_span_is_announced_once_however_many_blocks(void **state)
{
    (void)state;
    enum { SPANS = 20 };
    char *blocks[SPANS * 64];
    for (size_t i = 0; i < SPANS * 64; i++) blocks[i] = heap_alloc(1000);
    for (size_t i = 0; i < SPANS * 64; i++) free_in_thread(blocks[i]);
    size_t spans = 0;
    for (struct span *span = thread_heap->announced; span; span = span->announced_next) spans++;
    struct heap_census census = heap_check(); // which counts each span's announcements too
    assert_int_equal(census.pending_blocks, SPANS * 64);
    assert_true(spans <= census.small_spans);
    remote_merge(thread_heap);
    census = heap_check();
    assert_int_equal(census.pending_blocks + census.live_blocks, 0);
}

static void the_owner_uses_again_what_others_freed(void **state)
{
    (void)state;
    size_t mapped = 0;
    for (int round = 0; round < 50; round++) {
        char *blocks[500];
        for (size_t i = 0; i < 500; i++) blocks[i] = heap_alloc(200);
        for (size_t i = 0; i < 500; i++) free_in_thread(blocks[i]);
        struct heap_census census = heap_check();
        if (round == 2) mapped = census.in_use_bytes;
        if (round > 2) assert_true(census.in_use_bytes <= mapped + 2 * SPAN_PAGES_MAX * PAGE_SIZE);
    }
    remote_merge(thread_heap);
}

// --- everybody frees everybody's
// -------------------------------------------------------------------

enum { THREADS = 4, BLOCKS = 4000, ROUNDS = 5 };

static struct {
    pthread_barrier_t barrier;
    void *blocks[THREADS][BLOCKS];
} shared;

static void *allocate_and_free_others(void *argument)
{
    size_t self = (size_t)argument;
    unsigned seed = (unsigned)self;
    for (size_t round = 1; round <= ROUNDS; round++) {
        for (size_t i = 0; i < BLOCKS; i++) {
            size_t size = 1 + (size_t)rand_r(&seed) % 700;
            shared.blocks[self][i] = heap_alloc(size);
            memset(shared.blocks[self][i], (int)self, size);
        }
        pthread_barrier_wait(&shared.barrier);
        // A share of everybody's blocks: all free in every span at once.
        for (size_t i = self; i < BLOCKS; i += THREADS) {
            for (size_t j = 0; j < THREADS; j++) heap_free(shared.blocks[j][i]);
        }
        pthread_barrier_wait(&shared.barrier);
    }
    return NULL;
}

static void threads_that_free_each_others_blocks_lose_none(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    pthread_barrier_init(&shared.barrier, NULL, THREADS);
    for (size_t i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, allocate_and_free_others, (void *)i);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&shared.barrier);
    struct heap_census census = heap_check(); // the owners are gone: whoever left last merged
    assert_int_equal(census.live_blocks, 0);
    assert_int_equal(census.pending_blocks, 0);
}

// --- crimes
// ----------------------------------------------------------------------------------------

static void free_twice_remotely(void *block)
{
    struct span *span = span_map_find((uintptr_t)block);
    remote_free(&thread_heap_none, span, (uintptr_t)block);
    remote_free(&thread_heap_none, span, (uintptr_t)block);
}

// The other's free has passed its check when the owner frees.
static void free_remotely_after_the_owner(void *block)
{
    struct span *span = span_map_find((uintptr_t)block);
    heap_free(block);
    remote_free(&thread_heap_none, span, (uintptr_t)block);
    remote_merge(thread_heap);
}

static void racing_frees_of_one_block_panic(void **state)
{
    (void)state;
    char line[128];
    void *before = heap_alloc(100); // its span stays
    void *block = heap_alloc(100);
    (void)snprintf(line, sizeof line,
                   "mete: free(%p): double free: by two threads at the same time\n", block);
    expect_last_words(free_twice_remotely, block, line);
    expect_last_words(free_remotely_after_the_owner, block, line);
    heap_free(block);
    heap_free(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_others_freed_is_pending_until_the_owner_merges),
        cmocka_unit_test(a_span_is_announced_once_however_many_blocks),
        cmocka_unit_test(the_owner_uses_again_what_others_freed),
        cmocka_unit_test(threads_that_free_each_others_blocks_lose_none),
        cmocka_unit_test(racing_frees_of_one_block_panic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
