// Protects: what integers make of a number is the float that the machine makes of it.
#include "base/float_bits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

static void check(int64_t value)
{
    const float expected = (float)value;
    uint32_t bits;
    memcpy(&bits, &expected, sizeof bits);
    assert_int_equal(float_bits(value), bits);
}

static void small_numbers_and_edges(void **state)
{
    (void)state;
    for (int64_t i = -100000; i <= 100000; i++) check(i);
    for (unsigned shift = 0; shift < 63; shift++) {
        for (int64_t near = -70; near <= 70; near++) {
            const uint64_t value = (UINT64_C(1) << shift) + (uint64_t)near;
            check((int64_t)value);
            check((int64_t)(value + (value >> 24)));
            check((int64_t)(0 - value));
        }
    }
    check(INT64_MAX);
    check(INT64_MIN);
}

static void any_number(void **state)
{
    (void)state;
    uint64_t random = 1;
    for (int i = 0; i < 1000000; i++) {
        random = random * 6364136223846793005U + 1442695040888963407U;
        check((int64_t)random >> random % 63);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_numbers_and_edges),
        cmocka_unit_test(any_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
