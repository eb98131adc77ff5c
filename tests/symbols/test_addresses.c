// Protects: what is looked for in rising lists is found where it is, at both ends too.
#include "symbols/addresses.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { COUNT = 5 };

static void the_first_that_is_not_before_is_found(void **state)
{
    (void)state;
    const uint64_t items[COUNT] = {3, 5, 5, 9, UINT64_MAX};
    assert_int_equal(addresses_first_from(items, COUNT, 0), 0);
    assert_int_equal(addresses_first_from(items, COUNT, 3), 0);
    assert_int_equal(addresses_first_from(items, COUNT, 4), 1);
    assert_int_equal(addresses_first_from(items, COUNT, 5), 1); // the first of equal ones
    assert_int_equal(addresses_first_from(items, COUNT, 6), 3);
    assert_int_equal(addresses_first_from(items, COUNT, 10), 4);
    assert_int_equal(addresses_first_from(items, COUNT, UINT64_MAX), 4);
    assert_int_equal(addresses_first_from(items, COUNT - 1, 10), COUNT - 1); // none
    assert_int_equal(addresses_first_from(items, 0, 3), 0);
}

static void they_rise_when_sorted(void **state)
{
    (void)state;
    uint64_t items[COUNT] = {UINT64_MAX, 0, UINT64_C(1) << 63, 7, 0};
    addresses_sort(items, COUNT);
    const uint64_t expected[COUNT] = {0, 0, 7, UINT64_C(1) << 63, UINT64_MAX};
    assert_memory_equal(items, expected, sizeof expected);
    addresses_sort(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_that_is_not_before_is_found),
        cmocka_unit_test(they_rise_when_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
