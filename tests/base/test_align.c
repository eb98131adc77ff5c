// Protects: rounding at every power of two and at the ends of the number range.
#include "base/align.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void powers_of_two_have_exactly_one_bit(void **state)
{
    (void)state;
    assert_false(is_power_of_two(0));
    assert_false(is_power_of_two(SIZE_MAX));
    for (unsigned bit = 0; bit < 64; bit++) {
        size_t power = (size_t)1 << bit;
        assert_true(is_power_of_two(power));
        if (power > 2) assert_false(is_power_of_two(power - 1));
        if (power > 1) assert_false(is_power_of_two(power + 1));
    }
}

static void rounding_gives_the_nearest_multiple_on_its_side(void **state)
{
    (void)state;
    for (size_t align = 1; align <= 4096; align *= 2) {
        for (size_t value = 0; value < 3 * align + 5; value++) {
            size_t down = value / align * align;
            size_t up = down == value ? value : down + align;
            assert_int_equal(align_down(value, align), down);
            assert_int_equal(align_up(value, align), up);
        }
    }
}

static void rounding_is_exact_at_the_top_and_up_wraps_to_zero_as_documented(void **state)
{
    (void)state;
    size_t top = SIZE_MAX - 4095;
    assert_int_equal(align_up(top, 4096), top);
    assert_int_equal(align_up(top - 1, 4096), top);
    assert_int_equal(align_up(top + 1, 4096), 0);
    assert_int_equal(align_down(SIZE_MAX, 4096), top);
    assert_int_equal(align_up((size_t)1 << 63, (size_t)1 << 63), (size_t)1 << 63);
}

static void the_logarithm_is_the_index_of_the_highest_bit(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        size_t power = (size_t)1 << bit;
        assert_int_equal(log2_floor(power), bit);
        assert_int_equal(log2_floor(power | (power - 1)), bit);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(powers_of_two_have_exactly_one_bit),
        cmocka_unit_test(rounding_gives_the_nearest_multiple_on_its_side),
        cmocka_unit_test(rounding_is_exact_at_the_top_and_up_wraps_to_zero_as_documented),
        cmocka_unit_test(the_logarithm_is_the_index_of_the_highest_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
