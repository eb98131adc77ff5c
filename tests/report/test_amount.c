// Protects: numbers read as people expect, at every border between units, and exactly on demand.
#include "report/amount.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void check_bytes(int64_t bytes, const char *expected)
{
    char text[AMOUNT_SIZE];
    amount_bytes(text, bytes, false);
    assert_string_equal(text, expected);
}

static void sizes_have_three_significant_digits(void **state)
{
    (void)state;
    check_bytes(0, "0 B");
    check_bytes(1023, "1023 B");
    check_bytes(1024, "1.00 KiB");
    check_bytes(10234, "9.99 KiB");
    check_bytes(10235, "10.0 KiB");
    check_bytes(102348, "99.9 KiB");
    check_bytes(102400, "100 KiB");
    check_bytes(1023 * 1024, "0.999 MiB");
    check_bytes(1000 * 1024, "0.977 MiB");
    check_bytes(1024 * 1024 - 1, "1.00 MiB");
    check_bytes((int64_t)5 << 30, "5.00 GiB");
    check_bytes(INT64_MAX, "8.00 EiB");
    check_bytes(INT64_MIN, "-8.00 EiB");
    check_bytes(-1536, "-1.50 KiB");
}

static void exact_sizes_are_grouped(void **state)
{
    (void)state;
    char text[AMOUNT_SIZE];
    amount_bytes(text, 1234567, true);
    assert_string_equal(text, "1,234,567");
    amount_bytes(text, INT64_MIN, true);
    assert_string_equal(text, "-9,223,372,036,854,775,808");
}

static void counts_are_whole_until_they_are_long(void **state)
{
    (void)state;
    char text[AMOUNT_SIZE];
    amount_count(text, 999, false);
    assert_string_equal(text, "999");
    amount_count(text, 9999999, false);
    assert_string_equal(text, "9,999,999");
    amount_count(text, 12345678, false);
    assert_string_equal(text, "12.3 M");
    amount_count(text, UINT64_MAX, false);
    assert_string_equal(text, "18.4 E");
    amount_count(text, UINT64_MAX, true);
    assert_string_equal(text, "18,446,744,073,709,551,615");
}

static void rates_need_time(void **state)
{
    (void)state;
    char text[AMOUNT_SIZE];
    amount_rate(text, 5, 0);
    assert_string_equal(text, "-");
    amount_rate(text, 5, 2000);
    assert_string_equal(text, "2");
    amount_rate(text, 244305, 1000);
    assert_string_equal(text, "244 k");
}

static void times_name_their_two_largest_units(void **state)
{
    (void)state;
    const struct {
        uint64_t time_ms;
        const char *expected;
    } cases[] = {
        {0, "0 ms"},
        {999, "999 ms"},
        {1000, "1.00 s"},
        {12400, "12.4 s"},
        {59999, "60.0 s"},
        {125000, "2 min 5 s"},
        {3720000, "1 h 2 min"},
        {266400000, "3 d 2 h"},
        {UINT64_MAX, "213503982334 d 14 h"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[AMOUNT_SIZE];
        amount_time(text, cases[i].time_ms, false);
        assert_string_equal(text, cases[i].expected);
    }
    char text[AMOUNT_SIZE];
    amount_time(text, UINT64_MAX, true);
    assert_string_equal(text, "18,446,744,073,709,551,615 ms");
}

static void shares_are_of_something(void **state)
{
    (void)state;
    char text[AMOUNT_SIZE];
    amount_share(text, 1, 0);
    assert_string_equal(text, "");
    amount_share(text, 1, 1000);
    assert_string_equal(text, "<1 %");
    amount_share(text, 0, 1000);
    assert_string_equal(text, "0 %");
    amount_share(text, 756, 1000);
    assert_string_equal(text, "76 %");
    amount_share(text, INT64_MAX, 1);
    assert_string_equal(text, ">999 %");
    amount_share(text, INT64_MIN, 1);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_have_three_significant_digits),
        cmocka_unit_test(exact_sizes_are_grouped),
        cmocka_unit_test(counts_are_whole_until_they_are_long),
        cmocka_unit_test(rates_need_time),
        cmocka_unit_test(times_name_their_two_largest_units),
        cmocka_unit_test(shares_are_of_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
