// Protects: what may stay resident follows what was in use a moment ago, and only that.
#include "heap/purge_policy.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const size_t MIB = (size_t)1 << 20;

static void a_program_that_gives_memory_back_may_have_it_again(void **state)
{
    (void)state;
    struct purge_policy policy = {.keep_bytes = MIB};
    purge_policy_note_used(&policy, 100 * MIB);
    assert_int_equal(purge_policy_limit(&policy, 100 * MIB, 10), MIB);
    assert_int_equal(purge_policy_limit(&policy, 30 * MIB, 20), 71 * MIB);
    assert_int_equal(purge_policy_limit(&policy, 0, 30), 101 * MIB);
}

static void a_peak_is_forgotten_after_two_windows(void **state)
{
    (void)state;
    struct purge_policy policy = {.keep_bytes = MIB};
    purge_policy_note_used(&policy, 100 * MIB);
    assert_int_equal(purge_policy_limit(&policy, 10 * MIB, 1000), 91 * MIB);
    assert_int_equal(purge_policy_limit(&policy, 10 * MIB, 1999), 91 * MIB);
    assert_int_equal(purge_policy_limit(&policy, 10 * MIB, 2000), MIB);
}

static void a_keep_of_everything_does_not_wrap(void **state)
{
    (void)state;
    struct purge_policy policy = {.keep_bytes = SIZE_MAX};
    assert_true(purge_policy_limit(&policy, 50 * MIB, 1) > (size_t)1 << 60);
}

static void an_exact_keep_is_all_there_is(void **state)
{
    (void)state;
    struct purge_policy policy = {.keep_bytes = MIB, .is_exact = true};
    purge_policy_note_used(&policy, 100 * MIB);
    assert_int_equal(purge_policy_limit(&policy, 0, 30), MIB);
    policy.keep_bytes = SIZE_MAX;
    assert_true(purge_policy_limit(&policy, 0, 30) > (size_t)1 << 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_that_gives_memory_back_may_have_it_again),
        cmocka_unit_test(a_peak_is_forgotten_after_two_windows),
        cmocka_unit_test(a_keep_of_everything_does_not_wrap),
        cmocka_unit_test(an_exact_keep_is_all_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
