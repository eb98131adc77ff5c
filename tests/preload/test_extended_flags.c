// The flags of jemalloc's mallocx() family: every bit that means something, and those that do not.

#include "preload/extended_flags.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

// As jemalloc's header writes them.
#define MALLOCX_TCACHE(cache) ((int)(((cache) + 2) << 8))
#define MALLOCX_ARENA(arena) ((int)((((unsigned)(arena)) + 1) << 20))

static void no_flags_ask_for_nothing(void **state)
{
    (void)state;
    assert_int_equal(extended_align(0), 1);
    assert_false(extended_is_zeroed(0));
}

static void every_alignment_is_its_power_of_two(void **state)
{
    (void)state;
    for (int lg = 0; lg < 64; lg++) {
        assert_true(extended_align(lg) == (size_t)1 << lg);
        assert_false(extended_is_zeroed(lg));
    }
}

static void zero_is_a_bit_of_its_own(void **state)
{
    (void)state;
    for (int lg = 0; lg < 64; lg++) {
        assert_true(extended_is_zeroed(lg | 0x40));
        assert_true(extended_align(lg | 0x40) == (size_t)1 << lg);
    }
}

static void caches_and_arenas_change_nothing(void **state)
{
    (void)state;
    const int others[] = {MALLOCX_TCACHE(-1), MALLOCX_TCACHE(0), MALLOCX_TCACHE(4000),
                          MALLOCX_ARENA(0), MALLOCX_ARENA(2000)};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(extended_align(others[i]), 1);
        assert_false(extended_is_zeroed(others[i]));
        assert_int_equal(extended_align(others[i] | 12 | 0x40), 4096);
        assert_true(extended_is_zeroed(others[i] | 12 | 0x40));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_flags_ask_for_nothing),
        cmocka_unit_test(every_alignment_is_its_power_of_two),
        cmocka_unit_test(zero_is_a_bit_of_its_own),
        cmocka_unit_test(caches_and_arenas_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
