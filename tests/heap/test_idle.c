// Protects: a thread's heap outlives it, is taken over whole by the next thread, lends its spans
// meanwhile, and is never used by two.
#include "heap_test.h"

#include "heap/idle.h"
#include "heap/metadata.h"
#include "heap/span_map.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static void *tell_heap(void *ignored)
{
    (void)ignored;
    heap_free(heap_alloc(1));
    return thread_heap;
}

static void a_thread_gets_a_heap_with_its_first_block(void **state)
{
    (void)state;
    assert_ptr_equal(thread_heap, &thread_heap_none);
    struct thread_heap *mine = idle_get_heap();
    assert_ptr_not_equal(mine, &thread_heap_none);
    assert_ptr_equal(thread_heap, mine);
    assert_ptr_equal(idle_get_heap(), mine);
    struct thread_heap *others = run_in_thread(tell_heap, NULL);
    assert_ptr_not_equal(others, mine);
    assert_true(others->is_idle);
    assert_false(mine->is_idle);
}

static void the_next_thread_takes_the_heap_of_the_last(void **state)
{
    (void)state;
    struct thread_heap *first = run_in_thread(tell_heap, NULL);
    for (int i = 0; i < 20; i++) assert_ptr_equal(run_in_thread(tell_heap, NULL), first);
}

static void *alloc_many(void *blocks)
{
    for (size_t i = 0; i < 1000; i++) {
        ((char **)blocks)[i] = heap_alloc(100 + i);
        memset(((char **)blocks)[i], (int)(i % 251), 100 + i);
    }
    return thread_heap;
}

static void blocks_outlive_their_thread_and_anybody_frees_them(void **state)
{
    (void)state;
    char *blocks[1000];
    struct thread_heap *owner = run_in_thread(alloc_many, blocks);
    (void)heap_check();
    assert_int_equal(count_walked(), 1000);
    for (size_t i = 0; i < 1000; i++) {
        for (size_t j = 0; j < 100 + i; j++) assert_int_equal((unsigned char)blocks[i][j], i % 251);
        heap_free(blocks[i]);
    }
    // Merged as they were freed: nobody else would.
    assert_null(owner->announced);
    struct heap_census census = heap_check();
    assert_int_equal(census.live_blocks + census.pending_blocks, 0);
    assert_int_equal(census.in_use_bytes, 0);
}

static void a_span_of_an_idle_heap_is_adopted_before_a_new_one_is_made(void **state)
{
    (void)state;
    char *blocks[1000];
    (void)run_in_thread(alloc_many, blocks);
    for (size_t i = 1; i < 1000; i += 2) heap_free(blocks[i]); // half of each span
    size_t spans = heap_check().small_spans;
    size_t adopted = 0;
    char *mine[200];
    for (size_t i = 0; i < 200; i++) {
        mine[i] = heap_alloc(600);
        const struct span *span = span_map_find((uintptr_t)mine[i]);
        assert_ptr_equal(span->owner, thread_heap);
        adopted += heap_check().small_spans == spans;
    }
    assert_true(adopted > 0);
    for (size_t i = 0; i < 200; i++) heap_free(mine[i]);
    for (size_t i = 0; i < 1000; i += 2) heap_free(blocks[i]);
    assert_int_equal(heap_check().live_blocks, 0);
}

// Threads that only just live, with blocks that others free while they go.
enum { GENERATIONS = 400, HELD = 64 };

static _Atomic(void *) held[HELD];

static void *live_shortly(void *number)
{
    unsigned seed = (unsigned)(uintptr_t)number;
    for (int i = 0; i < 30; i++) {
        void *block = heap_alloc(1 + (size_t)rand_r(&seed) % 2000);
        block = atomic_exchange(&held[(size_t)rand_r(&seed) % HELD], block);
        if (block) heap_free(block);
    }
    return NULL;
}

static void generations_of_threads_leave_heaps_and_take_them(void **state)
{
    (void)state;
    pthread_t threads[8];
    for (uintptr_t i = 0; i < GENERATIONS; i++) {
        if (i >= 8) pthread_join(threads[i % 8], NULL);
        assert_int_equal(pthread_create(&threads[i % 8], NULL, live_shortly, (void *)i), 0);
    }
    for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
    size_t live = 0;
    for (size_t i = 0; i < HELD; i++) live += held[i] != NULL;
    struct heap_census census = heap_check();
    assert_int_equal(census.live_blocks, live);
    for (size_t i = 0; i < HELD; i++) {
        void *block = atomic_exchange(&held[i], NULL);
        if (block) heap_free(block);
    }
    assert_int_equal(heap_check().live_blocks, 0);
}

static pthread_key_t after_key;

static void allocate_after_the_heap_left(void *ignored)
{
    (void)ignored;
    char *block = heap_alloc(100);
    memset(block, 1, 100);
    heap_free(block);
}

static void *leave_then_allocate(void *ignored)
{
    (void)ignored;
    pthread_setspecific(after_key, &after_key);
    return heap_alloc(50);
}

static void thread_specific_destructors_may_allocate_after_the_heap_left(void **state)
{
    (void)state;
    // Made after the heap's own key, so its destructors come later.
    assert_int_equal(pthread_key_create(&after_key, allocate_after_the_heap_left), 0);
    for (int i = 0; i < 20; i++) heap_free(run_in_thread(leave_then_allocate, NULL));
    assert_int_equal(heap_check().live_blocks, 0);
    assert_int_equal(pthread_key_delete(after_key), 0);
}

// The thread sanitizer says good-bye to a thread in the last round, and so cannot watch this.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define IS_WATCHED_BY_TSAN true
#endif
#endif
#ifndef IS_WATCHED_BY_TSAN
#define IS_WATCHED_BY_TSAN false
#endif

// In every round in which destructors run, and so after the heap left for the last time.
static void allocate_to_the_last(void *ignored)
{
    allocate_after_the_heap_left(ignored);
    pthread_setspecific(after_key, &after_key);
}

static void threads_that_allocate_to_the_last_leave_no_heap_behind(void **state)
{
    (void)state;
    if (IS_WATCHED_BY_TSAN) {
        print_message("# not under the thread sanitizer\n");
        return;
    }
    assert_int_equal(pthread_key_create(&after_key, allocate_to_the_last), 0);
    heap_free(run_in_thread(leave_then_allocate, NULL));
    size_t before = metadata_bytes();
    for (int i = 0; i < 100; i++) heap_free(run_in_thread(leave_then_allocate, NULL));
    assert_true(metadata_bytes() < before + 5 * sizeof(struct thread_heap));
    assert_int_equal(heap_check().live_blocks, 0);
    assert_int_equal(pthread_key_delete(after_key), 0);
}

static void *use_every_class(void *ignored)
{
    void *blocks[CLASS_COUNT];
    for (unsigned class = 1; class < CLASS_COUNT; class ++) {
        blocks[class] = heap_alloc_aligned(size_class_size(class), GRANULE);
    }
    size_t bytes = heap_check().in_use_bytes;
    for (unsigned class = 1; class < CLASS_COUNT; class ++) heap_free(blocks[class]);
    (void)ignored;
    return (void *)bytes;
}

// A heap that thread after thread takes over has as few pages for its blocks as a new one.
static void a_heap_that_is_taken_over_does_not_grow(void **state)
{
    (void)state;
    size_t first = (size_t)run_in_thread(use_every_class, NULL);
    for (int i = 0; i < 20; i++) {
        assert_int_equal((size_t)run_in_thread(use_every_class, NULL), first);
    }
}

enum { THREADS = 50, SURVIVORS = 40, PER_THREAD = 1200 };

static pthread_barrier_t all_there;
static char *theirs[THREADS][PER_THREAD];

static void *leave_holes(void *number)
{
    char **mine = theirs[(uintptr_t)number];
    for (size_t i = 0; i < PER_THREAD; i++) mine[i] = heap_alloc(1000);
    pthread_barrier_wait(&all_there); // so that all have heaps of their own
    for (size_t i = 0; i < PER_THREAD; i++) {
        if (i % SURVIVORS) heap_free(mine[i]);
    }
    return NULL;
}

static void spans_of_all_idle_heaps_are_adopted_not_of_the_first_few(void **state)
{
    (void)state;
    enum { MINE = THREADS * PER_THREAD * 3 / 4 };
    static char *mine[MINE];
    pthread_t threads[THREADS];
    pthread_barrier_init(&all_there, NULL, THREADS);
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, leave_holes, (void *)i), 0);
    }
    for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    size_t before = heap_check().in_use_bytes;
    for (size_t i = 0; i < MINE; i++) mine[i] = heap_alloc(1000);
    assert_true(heap_check().in_use_bytes < before + before / 10);
    for (size_t i = 0; i < MINE; i++) heap_free(mine[i]);
    for (size_t i = 0; i < THREADS; i++) {
        for (size_t j = 0; j < PER_THREAD; j += SURVIVORS) heap_free(theirs[i][j]);
    }
    assert_int_equal(heap_check().live_blocks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_gets_a_heap_with_its_first_block),
        cmocka_unit_test(the_next_thread_takes_the_heap_of_the_last),
        cmocka_unit_test(blocks_outlive_their_thread_and_anybody_frees_them),
        cmocka_unit_test(a_span_of_an_idle_heap_is_adopted_before_a_new_one_is_made),
        cmocka_unit_test(generations_of_threads_leave_heaps_and_take_them),
        cmocka_unit_test(thread_specific_destructors_may_allocate_after_the_heap_left),
        cmocka_unit_test(threads_that_allocate_to_the_last_leave_no_heap_behind),
        cmocka_unit_test(a_heap_that_is_taken_over_does_not_grow),
        cmocka_unit_test(spans_of_all_idle_heaps_are_adopted_not_of_the_first_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
