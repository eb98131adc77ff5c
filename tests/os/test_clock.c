// Protects: the clock is the kernel's monotonic one, and sleeping takes as long as it should.
#include "os/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <time.h>

static uint64_t fine_ms(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void it_never_goes_back_and_follows_the_fine_clock(void **state)
{
    (void)state;
    uint64_t last = clock_coarse_ms();
    for (int i = 0; i < 100000; i++) {
        uint64_t now = clock_coarse_ms();
        assert_true(now >= last);
        last = now;
    }
    uint64_t before = fine_ms();
    uint64_t now = clock_coarse_ms();
    uint64_t after = fine_ms();
    assert_true(now + 20 >= before); // a tick is 10 ms at most
    assert_true(now <= after);
}

static void sleeping_takes_at_least_its_time_also_above_a_second(void **state)
{
    (void)state;
    const unsigned spans_ms[] = {0, 1, 30, 1010};
    errno = 77;
    for (size_t i = 0; i < sizeof spans_ms / sizeof spans_ms[0]; i++) {
        uint64_t before = fine_ms();
        clock_sleep_ms(spans_ms[i]);
        assert_true(fine_ms() - before + 1 >= spans_ms[i]); // both ends are cut to milliseconds
    }
    assert_int_equal(errno, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_never_goes_back_and_follows_the_fine_clock),
        cmocka_unit_test(sleeping_takes_at_least_its_time_also_above_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
