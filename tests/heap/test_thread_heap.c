// Protects: how a bin fills, rests and gives back its spans, class by class.
#include "heap_test.h"

#include "base/align.h"
#include "heap/span_map.h"

#include <stdlib.h>
#include <string.h>

static void a_thread_without_a_heap_finds_empty_bins(void **state)
{
    (void)state;
    for (unsigned class = 0; class < CLASS_COUNT; class ++) {
        assert_null(thread_heap_none.bins[class].free);
        assert_int_equal(thread_heap_none.bins[class].range, 0);
    }
}

// Fills several spans of each class, frees in some order, and is left with at most one span per
// bin.
static void fill_and_empty(unsigned class, unsigned order)
{
    enum { BLOCKS = 3000 };
    static char *blocks[BLOCKS];
    size_t size = size_class_size(class);
    size_t count = size < 1024 ? BLOCKS : 200;
    unsigned seed = class;
    for (size_t i = 0; i < count; i++) {
        blocks[i] = heap_alloc_aligned(size, GRANULE); // of that class, see borrow.h
        assert_non_null(blocks[i]);
        blocks[i][0] = blocks[i][size - 1] = (char)i;
    }
    (void)heap_check();
    for (size_t i = 0; i < count; i++) {
        size_t at = order == 0   ? i
                    : order == 1 ? count - 1 - i
                                 : i + (size_t)rand_r(&seed) % (count - i);
        char *block = blocks[at];
        blocks[at] = blocks[i];
        if (order == 1) blocks[at] = block;
        heap_free(block);
        if (i == count / 2) (void)heap_check();
    }
    struct heap_census census = heap_check();
    assert_int_equal(census.live_blocks, 0);
    // Empty spans go; the current one may stay.
    assert_true(census.in_use_bytes <= 2 * SPAN_PAGES_MAX * PAGE_SIZE);
    thread_heap_drop_bin(thread_heap, class);
    assert_int_equal(heap_check().in_use_bytes, 0);
}

static void every_class_gives_its_spans_back_whatever_the_order_of_frees(void **state)
{
    (void)state;
    for (unsigned class = 1; class < CLASS_COUNT; class += class < 40 ? 1 : 11) {
        for (unsigned order = 0; order < 3; order++) fill_and_empty(class, order);
    }
}

static void the_block_freed_last_is_handed_out_first(void **state)
{
    (void)state;
    void *first = heap_alloc(64);
    void *second = heap_alloc(64);
    heap_free(first);
    heap_free(second);
    assert_ptr_equal(heap_alloc(64), second);
    assert_ptr_equal(heap_alloc(64), first);
    heap_free(first);
    heap_free(second);
}

// Nine of ten blocks freed: the next ones come from the holes, not from new spans.
static void holes_are_filled_before_spans_are_made(void **state)
{
    (void)state;
    enum { BLOCKS = 20000 };
    static char *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) blocks[i] = heap_alloc(128);
    size_t spans = heap_check().small_spans;
    for (size_t i = 0; i < BLOCKS; i++) {
        if (i % 10) heap_free(blocks[i]);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        if (i % 10) blocks[i] = heap_alloc(128);
    }
    assert_true(heap_check().small_spans <= spans + 1);
    for (size_t i = 0; i < BLOCKS; i++) heap_free(blocks[i]);
    (void)heap_check();
}

// Of a heap that has made no span yet: the page counts of its first and its last span.
static void *fill_fresh_heap(void *page_counts)
{
    enum { BLOCKS = 4000 };
    static char *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) blocks[i] = heap_alloc(208);
    ((size_t *)page_counts)[0] = span_map_find((uintptr_t)blocks[0])->page_count;
    ((size_t *)page_counts)[1] = span_map_find((uintptr_t)blocks[BLOCKS - 1])->page_count;
    for (size_t i = 0; i < BLOCKS; i++) heap_free(blocks[i]);
    return NULL;
}

static void first_spans_are_short_and_later_ones_long(void **state)
{
    (void)state;
    size_t page_counts[2];
    (void)run_in_thread(fill_fresh_heap, page_counts);
    assert_int_equal(page_counts[0], size_class_span_pages(size_class_of(208), 0));
    assert_int_equal(page_counts[1], size_class_span_pages(size_class_of(208), 1000));
    assert_true(page_counts[0] < page_counts[1]);
}

static void scavenging_gives_back_current_spans_that_nothing_lives_in(void **state)
{
    (void)state;
    void *kept = heap_alloc(1000);
    for (unsigned class = 1; class < CLASS_COUNT; class ++)
        heap_free(heap_alloc(size_class_size(class)));
    assert_true(heap_check().small_spans > 10);
    thread_heap_scavenge(thread_heap);
    struct heap_census census = heap_check();
    assert_int_equal(census.small_spans, 1);
    assert_int_equal(census.live_blocks, 1);
    heap_free(kept);
}

static void random_traffic_of_one_thread_keeps_every_invariant(void **state)
{
    (void)state;
    enum { SLOTS = 3000 };
    static char *blocks[SLOTS];
    unsigned seed = 31337;
    print_message("# seed %u\n", seed);
    size_t live = 0;
    for (int step = 0; step < 300000; step++) {
        char **block = &blocks[(size_t)rand_r(&seed) % SLOTS];
        if (*block) {
            heap_free(*block);
            *block = NULL;
            live--;
        } else if (rand_r(&seed) % 100 < 30 + step / 10000 % 40) {
            *block = heap_alloc(1 + (size_t)rand_r(&seed) % (1u << (4 + rand_r(&seed) % 12)));
            live++;
        }
        if (step % 10000 == 0) assert_int_equal(heap_check().live_blocks, live);
    }
    for (size_t i = 0; i < SLOTS; i++) {
        if (blocks[i]) heap_free(blocks[i]);
    }
    assert_int_equal(heap_check().live_blocks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_without_a_heap_finds_empty_bins),
        cmocka_unit_test(every_class_gives_its_spans_back_whatever_the_order_of_frees),
        cmocka_unit_test(the_block_freed_last_is_handed_out_first),
        cmocka_unit_test(holes_are_filled_before_spans_are_made),
        cmocka_unit_test(first_spans_are_short_and_later_ones_long),
        cmocka_unit_test(scavenging_gives_back_current_spans_that_nothing_lives_in),
        cmocka_unit_test(random_traffic_of_one_thread_keeps_every_invariant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
