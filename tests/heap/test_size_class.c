// Protects: every request gets the smallest class that holds it, classes are what their header
// says, and spans have sensible lengths.
#include "heap/size_class.h"

#include "os/pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void every_size_gets_the_smallest_class_that_holds_it(void **state)
{
    (void)state;
    unsigned class = 1;
    for (size_t size = 1; size <= SMALL_SIZE_MAX; size++) {
        if (size > size_class_size(class)) class ++;
        assert_true(class < CLASS_COUNT);
        assert_true(size <= size_class_size(class));
        assert_int_equal(size_class_of(size), class);
    }
    assert_int_equal(class, CLASS_COUNT - 1);
    assert_int_equal(size_class_size(class), SMALL_SIZE_MAX);
}

static void nothing_at_all_is_class_zero_which_is_none(void **state)
{
    (void)state;
    assert_int_equal(size_class_of_tiny(0), 0);
}

static void the_two_formulas_meet(void **state)
{
    (void)state;
    assert_int_equal(size_class_of_tiny(TINY_SIZE_MAX), TINY_CLASS_MAX);
    assert_int_equal(size_class_of_medium(TINY_SIZE_MAX + 1), TINY_CLASS_MAX + 1);
    for (size_t size = 1; size <= TINY_SIZE_MAX; size++) {
        assert_int_equal(size_class_of(size), size_class_of_tiny(size));
    }
}

static void sizes_grow_in_granules_and_in_small_steps(void **state)
{
    (void)state;
    for (unsigned class = 1; class < CLASS_COUNT; class ++) {
        size_t size = size_class_size(class);
        assert_int_equal(size % GRANULE, 0);
        if (class == 1) continue;
        size_t step = size - size_class_size(class - 1);
        if (class <= TINY_CLASS_MAX) {
            assert_int_equal(step, GRANULE);
        } else {
            size_t power = (size_t)1 << log2_floor(size - 1);
            assert_int_equal(step, power / CLASS_STEPS);
        }
    }
}

static void an_aligned_class_is_the_first_that_fits_and_is_a_multiple(void **state)
{
    (void)state;
    for (size_t align = GRANULE; align <= PAGE_SIZE; align *= 2) {
        for (size_t size = 1; size <= SMALL_SIZE_MAX; size += size < 2048 ? 1 : 61) {
            unsigned expected = size_class_of(size);
            while (expected < CLASS_COUNT && size_class_size(expected) % align != 0) expected++;
            assert_true(expected < CLASS_COUNT); // the largest is a multiple of a page
            assert_int_equal(size_class_of_aligned(size, align), expected);
        }
    }
}

static void spans_hold_blocks_and_never_more_pages_than_a_word_has_bits_for(void **state)
{
    (void)state;
    for (unsigned class = 1; class < CLASS_COUNT; class ++) {
        size_t block_size = size_class_size(class);
        for (unsigned made = 0; made < 40; made++) {
            unsigned pages = size_class_span_pages(class, made);
            size_t size = (size_t)pages << PAGE_SHIFT;
            assert_in_range(pages, 1, SPAN_PAGES_MAX);
            assert_true(size >= block_size);
            // A page that no block starts in or reaches would be taken for nothing.
            size_t used = size / block_size * block_size;
            assert_true(size - used < PAGE_SIZE || size - used < block_size);
            if (block_size > TINY_SIZE_MAX) continue;
            assert_int_equal(pages, made == 0 ? 1 : made < 4 ? 4 : made < 8 ? 8 : 16);
        }
    }
}

static void a_class_that_has_many_spans_wastes_little_of_them(void **state)
{
    (void)state;
    for (unsigned class = 1; class < CLASS_COUNT; class ++) {
        size_t block_size = size_class_size(class);
        size_t size = (size_t)size_class_span_pages(class, 100) << PAGE_SHIFT;
        // An eighth, or where two blocks and no third fit into a span, less than a third.
        size_t limit = block_size <= 16 * 1024 ? size / 8 : size / 3;
        assert_true(size % block_size <= limit);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_gets_the_smallest_class_that_holds_it),
        cmocka_unit_test(nothing_at_all_is_class_zero_which_is_none),
        cmocka_unit_test(the_two_formulas_meet),
        cmocka_unit_test(sizes_grow_in_granules_and_in_small_steps),
        cmocka_unit_test(an_aligned_class_is_the_first_that_fits_and_is_a_multiple),
        cmocka_unit_test(spans_hold_blocks_and_never_more_pages_than_a_word_has_bits_for),
        cmocka_unit_test(a_class_that_has_many_spans_wastes_little_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
