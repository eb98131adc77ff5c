// Protects: the arithmetic of small spans, for every class and span length: which block an address
// lies in, where blocks start, which are free, and what purging may assume.
#include "heap/span.h"

#include "heap/metadata.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct span *make_span(unsigned class, unsigned page_count)
{
    size_t size = (size_t)page_count << PAGE_SHIFT;
    void *pages = pages_map(size);
    struct span *span = span_create((uintptr_t)pages, size, false);
    size_t plane_size = page_count * CELLS_PER_PAGE * sizeof(struct plane_cell);
    span_init_small(span, class, metadata_take(METADATA_PLANE, plane_size));
    return span;
}

static void drop_span(struct span *span)
{
    size_t plane_size = span->page_count * CELLS_PER_PAGE * sizeof(struct plane_cell);
    memset(span->plane, 0, plane_size);
    metadata_give(METADATA_PLANE, span->plane, plane_size);
    assert_true(pages_unmap((void *)span->base, span->size));
    span_destroy(span);
}

static void set_live(struct span *span, uint32_t index)
{
    uintptr_t block = span_block(span, index);
    span_cell(span, block)->live |= span_bit(block);
}

// Calls `act` for a span of each class and each length that the class is given.
static void for_each_span(void (*act)(struct span *span))
{
    for (unsigned class = 1; class < CLASS_COUNT; class ++) {
        unsigned last = 0;
        for (unsigned made = 0; made < 8; made++) {
            unsigned page_count = size_class_span_pages(class, made);
            if (page_count == last) continue;
            last = page_count;
            struct span *span = make_span(class, page_count);
            act(span);
            drop_span(span);
        }
    }
}

static void expect_indexes(struct span *span)
{
    size_t in_blocks = (size_t)span->capacity * span->block_size;
    for (size_t offset = 0; offset < in_blocks; offset += GRANULE) {
        uintptr_t address = span->base + offset;
        uint32_t index = span_index(span, address);
        assert_int_equal(index, offset / span->block_size);
        assert_int_equal(span_index(span, address + GRANULE - 1), index);
        assert_true(span_block(span, index) <= address);
    }
    assert_int_equal(span_index(span, span->base + in_blocks - 1), span->capacity - 1);
}

static void every_granule_knows_its_block(void **state)
{
    (void)state;
    for_each_span(expect_indexes);
}

static void expect_cells(struct span *span)
{
    for (size_t offset = 0; offset < span->size; offset += GRANULE) {
        uintptr_t address = span->base + offset;
        assert_ptr_equal(span_cell(span, address), span->plane + offset / 1024);
        assert_int_equal(span_bit(address), UINT64_C(1) << offset / GRANULE % 64);
    }
}

static void every_granule_has_a_bit_of_its_own(void **state)
{
    (void)state;
    for_each_span(expect_cells);
}

static void a_fresh_struct_describes_pages_in_no_list(void **state)
{
    (void)state;
    struct span *span = span_create(0x10000, 3 * PAGE_SIZE, true);
    assert_int_equal(span_state(span), SPAN_UNUSED);
    assert_int_equal(span->base, 0x10000);
    assert_int_equal(span->size, 3 * PAGE_SIZE);
    assert_int_equal(span->page_count, 3);
    assert_true(span->is_dirty);
    assert_false(span_is_small(span));
    assert_true(list_is_empty(&span->link) && list_is_empty(&span->age));
    assert_null(span->fast_owner);
    span_set_extent(span, 0x20000, PAGE_SIZE);
    assert_int_equal(span->base, 0x20000);
    assert_int_equal(span->page_count, 1);
    span_destroy(span);
}

// The blocks that start in pages below `page_count`, counted one by one.
static uint32_t count_starts(const struct span *span, size_t page_count)
{
    uint32_t count = 0;
    while (count < span->capacity && (size_t)count * span->block_size < page_count << PAGE_SHIFT) {
        count++;
    }
    return count;
}

static void expect_extension(struct span *span)
{
    assert_int_equal(span_touched_blocks(span), 0);
    for (size_t pages = 1; pages <= span->page_count; pages++) {
        span_extend(span);
        assert_int_equal(span->touched_pages, pages);
        assert_int_equal(span->cursor_page, pages - 1);
        assert_int_equal(span_touched_blocks(span), count_starts(span, pages));
        // The blocks of this page are there, all of them and in order.
        uint32_t first = count_starts(span, pages - 1);
        uint32_t expected = count_starts(span, pages) - first;
        void *list = span;
        assert_int_equal(span_take_blocks(span, 1, &list), expected);
        assert_int_equal(span->cursor_page, pages);
        if (expected == 0) assert_ptr_equal(list, span);
        for (uint32_t i = 0; i < expected; i++, list = *(void **)list) {
            assert_int_equal((uintptr_t)list, span_block(span, first + i));
        }
        if (expected) assert_null(list);
    }
}

static void extending_page_by_page_meets_every_block_once(void **state)
{
    (void)state;
    for_each_span(expect_extension);
}

// Takes blocks until none are left; each must be the next free one that starts on a touched page.
static void expect_free_blocks(struct span *span, unsigned wanted, const bool *is_live)
{
    uint32_t next = 0;
    span_rewind(span);
    while (span->cursor_page < span->touched_pages) {
        unsigned start_page = span->cursor_page;
        void *list = NULL;
        unsigned count = span_take_blocks(span, wanted, &list);
        unsigned left = count;
        for (; list; list = *(void **)list, left--, next++) {
            while (next < span->capacity && is_live[next]) next++;
            assert_int_equal((uintptr_t)list, span_block(span, next));
            size_t page = ((uintptr_t)list - span->base) >> PAGE_SHIFT;
            assert_in_range(page, start_page, span->cursor_page - 1u);
        }
        assert_int_equal(left, 0);
        assert_true(span->cursor_page > start_page);
        assert_true(count >= wanted || span->cursor_page == span->touched_pages);
    }
    while (next < span_touched_blocks(span)) assert_true(is_live[next++]);
}

static void expect_random_lives(struct span *span)
{
    static unsigned seed = 4711;
    for (size_t i = 0; i < span->page_count; i++) span_extend(span);
    for (int round = 0; round < 4; round++) {
        static const int shares[] = {0, 10, 90, 100};
        bool is_live[SPAN_PAGES_MAX * PAGE_SIZE / GRANULE] = {false};
        memset(span->plane, 0, span->page_count * CELLS_PER_PAGE * sizeof *span->plane);
        for (uint32_t i = 0; i < span->capacity; i++) {
            is_live[i] = rand_r(&seed) % 100 < shares[round];
            if (is_live[i]) set_live(span, i);
        }
        expect_free_blocks(span, 1, is_live);
        expect_free_blocks(span, 8, is_live);
    }
}

static void the_blocks_taken_are_the_free_ones_in_order_and_whole_pages_at_a_time(void **state)
{
    (void)state;
    for_each_span(expect_random_lives);
}

static void expect_purged_forgotten(struct span *span)
{
    for (size_t i = 0; i < span->page_count; i++) span_extend(span);
    span_rewind(span);
    while (span->cursor_page < span->touched_pages) {
        uint64_t all = (UINT64_C(1) << span->page_count) - 1;
        span->purged_pages = all;
        uint64_t used = 0;
        void *list = NULL;
        (void)span_take_blocks(span, 1, &list);
        for (; list; list = *(void **)list) {
            size_t offset = (uintptr_t)list - span->base;
            size_t last = (offset + span->block_size - 1) >> PAGE_SHIFT;
            for (size_t page = offset >> PAGE_SHIFT; page <= last; page++) {
                used |= UINT64_C(1) << page;
            }
        }
        assert_int_equal(span->purged_pages & used, 0);
    }
}

static void pages_that_a_taken_block_reaches_no_longer_count_as_purged(void **state)
{
    (void)state;
    for_each_span(expect_purged_forgotten);
}

static void what_is_used_is_the_count_and_what_it_was_lowered_by(void **state)
{
    (void)state;
    struct span *span = make_span(1, 1);
    span->count = 3;
    span->bias = 7;
    span_set_state(span, SPAN_PARTIAL);
    assert_int_equal(span_used(span), 10);
    span_set_state(span, SPAN_FULL); // whose count stands at 1
    assert_int_equal(span_used(span), span->capacity);
    drop_span(span);
}

static void one_at_a_time_has_it_busy(void **state)
{
    (void)state;
    struct span *span = make_span(1, 1);
    assert_true(span_try_busy(span));
    assert_false(span_try_busy(span));
    span_give_busy(span);
    assert_true(span_try_busy(span));
    span_give_busy(span);
    drop_span(span);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_granule_knows_its_block),
        cmocka_unit_test(every_granule_has_a_bit_of_its_own),
        cmocka_unit_test(a_fresh_struct_describes_pages_in_no_list),
        cmocka_unit_test(extending_page_by_page_meets_every_block_once),
        cmocka_unit_test(the_blocks_taken_are_the_free_ones_in_order_and_whole_pages_at_a_time),
        cmocka_unit_test(pages_that_a_taken_block_reaches_no_longer_count_as_purged),
        cmocka_unit_test(what_is_used_is_the_count_and_what_it_was_lowered_by),
        cmocka_unit_test(one_at_a_time_has_it_busy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
