// Protects: which blocks serve requests that have no span of their own, and that blocks of another
// class are blocks like all others.
#include "heap_test.h"

#include "base/align.h"
#include "heap/borrow.h"
#include "heap/span_map.h"
#include "ledger.h"

#include <string.h>

enum { BLOCKS = 40000 };
static char *blocks[BLOCKS];

static void allocate_blocks(size_t count, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        blocks[i] = heap_alloc(size);
        assert_non_null(blocks[i]);
        memset(blocks[i], 0xa5, heap_block_size(blocks[i]));
    }
}

// Leaves every `nth` one.
static void free_most_blocks(size_t count, size_t nth)
{
    for (size_t i = 0; i < count; i++) {
        if (i % nth) heap_free(blocks[i]);
    }
}

static void free_the_rest(size_t count, size_t nth)
{
    for (size_t i = 0; i < count; i += nth) {
        for (size_t j = 0; j < heap_block_size(blocks[i]); j++) {
            if ((unsigned char)blocks[i][j] != 0xa5) fail_msg("byte %zu of block %zu", j, i);
        }
        heap_free(blocks[i]);
    }
}

// Every case in a thread of its own, the last one's spans gone: what is rare, and which spans rest,
// is what the case makes it.
static void in_fresh_heap(void *(*body)(void *))
{
    (void)run_in_thread(body, NULL);
    assert_int_equal(heap_check().live_blocks, 0);
    memset(blocks, 0, sizeof blocks);
}

// Heaps of ended threads go on with the next one, so forget what was asked of them.
static void begin_as_new(void)
{
    heap_free(heap_alloc(1)); // it has a heap now
    for (unsigned class = 1; class < CLASS_COUNT; class ++) {
        thread_heap_drop_bin(thread_heap, class);
        thread_heap->reserves[class].requests = 0;
    }
}

static size_t page_bytes(void)
{
    return heap_check().in_use_bytes;
}

static void *ask_for_one_of_each(void *argument)
{
    begin_as_new();
    size_t count = 0;
    for (size_t size = 144; size <= 512; size += 16) {
        blocks[count] = heap_alloc(size);
        size_t doubling = (size_t)1 << log2_floor(size - 1);
        assert_int_equal(heap_block_size(blocks[count++]), align_up(size, doubling / 4));
    }
    assert_int_equal(heap_check().small_spans, 8); // 160 192 224 256 320 384 448 512
    for (size_t i = 0; i < count; i++) heap_free(blocks[i]);
    return argument;
}

static void rare_sizes_share_four_classes_per_doubling(void **state)
{
    (void)state;
    in_fresh_heap(ask_for_one_of_each);
}

static void *fill_pages_with_one_size(void *argument)
{
    enum { COUNT = 1000, SIZE = 272 }; // 272 KiB
    begin_as_new();
    allocate_blocks(COUNT, SIZE);
    assert_int_equal(heap_block_size(blocks[0]), 320);
    assert_int_equal(heap_block_size(blocks[COUNT - 1]), SIZE);
    free_the_rest(COUNT, 1);
    return argument;
}

static void a_size_that_fills_pages_gets_blocks_of_its_own(void **state)
{
    (void)state;
    in_fresh_heap(fill_pages_with_one_size);
}

static void *ask_often_and_keep_nothing(void *argument)
{
    begin_as_new();
    int asked = 0;
    for (; asked < 5000; asked++) {
        void *block = heap_alloc(272);
        bool is_own = heap_block_size(block) == 272;
        heap_free(block);
        if (is_own) break;
    }
    assert_in_range(asked, 100, 4000); // not soon, but at some time
    return argument;
}

static void a_size_that_is_asked_for_often_gets_blocks_of_its_own(void **state)
{
    (void)state;
    in_fresh_heap(ask_often_and_keep_nothing);
}

// 96-byte blocks of which one in four lives; then as many 48-byte ones as were freed.
static void *fill_holes_with_smaller_blocks(void *argument)
{
    enum { LARGER = 20000 };
    static char *smaller[LARGER];
    begin_as_new();
    allocate_blocks(LARGER, 96);
    size_t bytes_before = page_bytes();
    free_most_blocks(LARGER, 4);
    size_t count = LARGER * 5 / 8;
    for (size_t i = 0; i < count; i++) {
        smaller[i] = heap_alloc(48);
        memset(smaller[i], 0x11, heap_block_size(smaller[i]));
    }
    assert_true(page_bytes() <= bytes_before + 2 * SPAN_PAGES_MAX * PAGE_SIZE);
    assert_int_equal(heap_block_size(smaller[count / 2]), 96);
    for (size_t i = 0; i < count; i++) heap_free(smaller[i]);
    (void)heap_check();
    free_the_rest(LARGER, 4);
    return argument;
}

static void holes_among_larger_blocks_are_filled_before_spans_are_made(void **state)
{
    (void)state;
    in_fresh_heap(fill_holes_with_smaller_blocks);
}

static void *look_for_what_is_not_lent(void *argument)
{
    begin_as_new();
    allocate_blocks(20000, 128);
    free_most_blocks(20000, 2);
    char *small = heap_alloc(48); // less than half
    assert_int_equal(heap_block_size(small), 48);
    heap_free(small);
    for (size_t i = 1; i < 20000; i += 2) blocks[i] = heap_alloc(128); // full again
    for (size_t i = 0; i < 20000; i += 100) heap_free(blocks[i]);      // some 5 of 512 per span
    small = heap_alloc(112);
    assert_int_equal(heap_block_size(small), 112);
    heap_free(small);
    for (size_t i = 0; i < 20000; i++) {
        if (i % 100) heap_free(blocks[i]);
    }
    return argument;
}

static void full_spans_and_far_larger_blocks_are_not_lent(void **state)
{
    (void)state;
    in_fresh_heap(look_for_what_is_not_lent);
}

// The bin of 64 bytes allocates from a span of 80.
static void borrow_for_64(void)
{
    begin_as_new();
    allocate_blocks(20000, 80);
    free_most_blocks(20000, 4);
    char *first = heap_alloc(64);
    assert_int_equal(heap_block_size(first), 80);
    heap_free(first);
}

static void *align_beside_borrowed(void *argument)
{
    borrow_for_64();
    static char *aligned[500];
    for (size_t i = 0; i < 500; i++) {
        aligned[i] = heap_alloc_aligned(64, 64);
        assert_int_equal((uintptr_t)aligned[i] % 64, 0);
        assert_int_equal(heap_block_size(aligned[i]), heap_size_for(64, 64));
        if (i % 50 == 0) heap_free(heap_alloc(64));
    }
    (void)heap_check();
    for (size_t i = 0; i < 500; i++) heap_free(aligned[i]);
    free_the_rest(20000, 4);
    return argument;
}

static void aligned_requests_never_get_borrowed_blocks(void **state)
{
    (void)state;
    in_fresh_heap(align_beside_borrowed);
}

static void *zero_borrowed(void *argument)
{
    borrow_for_64();
    static char *zeroed[200];
    for (size_t i = 0; i < 200; i++) {
        zeroed[i] = heap_alloc_zeroed(64);
        size_t size = heap_block_size(zeroed[i]);
        assert_int_equal(size, 80);
        for (size_t j = 0; j < size; j++) assert_int_equal(zeroed[i][j], 0);
    }
    for (size_t i = 0; i < 200; i++) heap_free(zeroed[i]);
    free_the_rest(20000, 4);
    return argument;
}

static void zeroed_blocks_are_zero_to_the_end_of_what_was_borrowed(void **state)
{
    (void)state;
    in_fresh_heap(zero_borrowed);
}

static void *free_everything(void *argument)
{
    (void)argument;
    free_the_rest(20000, 4);
    return NULL;
}

static void *end_while_borrowing(void *argument)
{
    borrow_for_64();
    for (size_t i = 1; i < 8000; i += 4) {
        blocks[i] = heap_alloc(64);
        if (i % 8 == 1) heap_free(blocks[i]);
    }
    for (size_t i = 5; i < 8000; i += 8) free_in_thread(blocks[i]);
    assert_true(heap_check().pending_blocks > 0);
    return argument; // the heap is idle from now on, and the next thread frees the rest
}

static void a_thread_may_end_while_its_bins_borrow(void **state)
{
    (void)state;
    (void)run_in_thread(end_while_borrowing, NULL);
    (void)heap_check();
    in_fresh_heap(free_everything);
}

static void *watch_borrowed(void *argument)
{
    borrow_for_64();
    ledger_reset();
    heap_observe(&ledger_observer);
    static char *watched[200];
    struct ledger_entry entry;
    for (size_t i = 0; i < 200; i++) {
        watched[i] = heap_alloc(60);
        assert_true(ledger_find((uintptr_t)watched[i], &entry));
        assert_int_equal(entry.size, 60);
        assert_int_equal(entry.block_size, heap_block_size(watched[i]));
    }
    assert_int_equal(entry.block_size, 80);
    for (size_t i = 0; i < 200; i++) heap_free(watched[i]);
    (void)heap_check();
    heap_observe(NULL);
    assert_int_equal(ledger_totals().frees, 200);
    if (ledger_totals().mistakes) fail_msg("%s", ledger_mistake());
    free_the_rest(20000, 4);
    return argument;
}

static void an_observer_sees_the_request_and_the_borrowed_block(void **state)
{
    (void)state;
    in_fresh_heap(watch_borrowed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rare_sizes_share_four_classes_per_doubling),
        cmocka_unit_test(a_size_that_fills_pages_gets_blocks_of_its_own),
        cmocka_unit_test(a_size_that_is_asked_for_often_gets_blocks_of_its_own),
        cmocka_unit_test(holes_among_larger_blocks_are_filled_before_spans_are_made),
        cmocka_unit_test(full_spans_and_far_larger_blocks_are_not_lent),
        cmocka_unit_test(aligned_requests_never_get_borrowed_blocks),
        cmocka_unit_test(zeroed_blocks_are_zero_to_the_end_of_what_was_borrowed),
        cmocka_unit_test(a_thread_may_end_while_its_bins_borrow),
        cmocka_unit_test(an_observer_sees_the_request_and_the_borrowed_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
