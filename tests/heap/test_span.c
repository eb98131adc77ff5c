// Protects: the arithmetic of small spans, for every class and span length: which block an address
// lies in, where blocks start, which are free, and what purging may assume.
#include "heap/span.h"

#include "base/align.h"
#include "heap/metadata.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <limits.h>
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

// Follows a free list and expects the blocks at these indexes, in order, all of them in the range.
static void expect_list(const struct span *span, void *list, const struct span_range *range,
                        uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++, list = *(void **)list) {
        assert_int_equal((uintptr_t)list, span_block(span, first + i));
        assert_true((uintptr_t)list - range->start < range->size);
    }
    assert_null(list);
}

static void expect_extension(struct span *span)
{
    for (size_t pages = 1; pages <= span->page_count; pages++) {
        assert_true(span_extend(span));
        assert_int_equal(span->touched_pages, pages);
        // The blocks of this page are there, all of them and in order; a marked cell may have none.
        uint32_t first = count_starts(span, pages - 1);
        uint32_t expected = count_starts(span, pages) - first;
        void *list = span;
        struct span_range range = {0};
        assert_int_equal(span_take_blocks(span, UINT_MAX, &list, &range), expected);
        assert_int_equal(span->freed_cells, 0);
        if (expected) {
            assert_int_equal(range.start % CELL_SIZE, 0);
            expect_list(span, list, &range, first, expected);
        } else {
            assert_ptr_equal(list, span);
            assert_int_equal(range.size, 0);
        }
    }
    assert_false(span_extend(span));
    assert_int_equal(span->touched_pages, span->page_count);
}

static void extending_page_by_page_meets_every_block_once(void **state)
{
    (void)state;
    for_each_span(expect_extension);
}

static void mark_all(struct span *span)
{
    for (size_t offset = 0; offset < span->size; offset += CELL_SIZE) {
        span->freed_cells |= span_cell_mark(span->base + offset);
    }
}

static void expect_marks_of_their_own(struct span *span)
{
    uint64_t seen = 0;
    for (size_t offset = 0; offset < span->size; offset += CELL_SIZE) {
        uint64_t mark = span_cell_mark(span->base + offset);
        assert_int_equal(__builtin_popcountl(mark), 1);
        assert_int_equal(seen & mark, 0);
        assert_int_equal(span_cell_mark(span->base + offset + CELL_SIZE - 1), mark);
        seen |= mark;
    }
}

static void every_cell_has_a_mark_of_its_own(void **state)
{
    (void)state;
    for_each_span(expect_marks_of_their_own);
}

// Takes blocks until none are left; each must be the next free one.
static void expect_free_blocks(struct span *span, unsigned wanted, const bool *is_live)
{
    uint32_t next = 0;
    unsigned count;
    void *list = NULL;
    struct span_range range;
    mark_all(span);
    while ((count = span_take_blocks(span, wanted, &list, &range)) != 0) {
        unsigned left = count;
        for (; list; list = *(void **)list, left--, next++) {
            while (next < span->capacity && is_live[next]) next++;
            assert_int_equal((uintptr_t)list, span_block(span, next));
            assert_true((uintptr_t)list - range.start < range.size);
        }
        assert_int_equal(left, 0);
        assert_true(count >= wanted || span->freed_cells == 0);
        assert_true(range.start >= span->base);
        assert_true(range.start + range.size <= span->base + span->size);
    }
    assert_int_equal(span->freed_cells, 0);
    while (next < span->capacity) assert_true(is_live[next++]);
}

static void expect_random_lives(struct span *span)
{
    static unsigned seed = 4711;
    while (span_extend(span)) continue;
    for (int round = 0; round < 4; round++) {
        static const int shares[] = {0, 10, 90, 100};
        bool is_live[SPAN_PAGES_MAX * PAGE_SIZE / GRANULE] = {false};
        memset(span->plane, 0, span->page_count * CELLS_PER_PAGE * sizeof *span->plane);
        for (uint32_t i = 0; i < span->capacity; i++) {
            is_live[i] = rand_r(&seed) % 100 < shares[round];
            if (is_live[i]) set_live(span, i);
        }
        expect_free_blocks(span, 1, is_live);
        expect_free_blocks(span, 32, is_live);
    }
}

static void the_blocks_taken_are_the_free_ones_in_order_and_whole_cells_at_a_time(void **state)
{
    (void)state;
    for_each_span(expect_random_lives);
}

// Only blocks of the marked cell are taken, and no others are looked for.
static void expect_one_cell(struct span *span)
{
    for (uint32_t i = 0; i < span->capacity; i++) {
        uintptr_t block = span_block(span, i);
        void *list = NULL;
        struct span_range range;
        span->freed_cells = span_cell_mark(block);
        assert_true(span_take_blocks(span, UINT_MAX, &list, &range) > 0);
        assert_int_equal(range.start, align_down(block, CELL_SIZE));
        assert_int_equal(range.size, CELL_SIZE);
        bool is_there = false;
        for (; list; list = *(void **)list) {
            assert_true((uintptr_t)list - range.start < range.size);
            is_there |= (uintptr_t)list == block;
        }
        assert_true(is_there);
    }
}

static void a_marked_cell_gives_its_blocks_and_no_others(void **state)
{
    (void)state;
    for_each_span(expect_one_cell);
}

static void expect_purged_forgotten(struct span *span)
{
    while (span_extend(span)) continue;
    mark_all(span);
    while (span->freed_cells) {
        span->purged_pages = (UINT64_C(1) << span->page_count) - 1;
        uint64_t used = 0;
        void *list = NULL;
        struct span_range range;
        (void)span_take_blocks(span, 1, &list, &range);
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
        cmocka_unit_test(every_cell_has_a_mark_of_its_own),
        cmocka_unit_test(the_blocks_taken_are_the_free_ones_in_order_and_whole_cells_at_a_time),
        cmocka_unit_test(a_marked_cell_gives_its_blocks_and_no_others),
        cmocka_unit_test(pages_that_a_taken_block_reaches_no_longer_count_as_purged),
        cmocka_unit_test(what_is_used_is_the_count_and_what_it_was_lowered_by),
        cmocka_unit_test(one_at_a_time_has_it_busy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
