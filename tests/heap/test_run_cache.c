// Protects: kept runs come back when they fit, the oldest makes place, and the sum stays right.
#include "heap/run_cache.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct span run_of(size_t page_count)
{
    return (struct span){.page_count = page_count, .size = page_count << PAGE_SHIFT};
}

static void a_run_fits_what_it_is_at_most_an_eighth_longer_than(void **state)
{
    (void)state;
    struct run_cache cache = {0};
    struct span run = run_of(36);
    assert_null(run_cache_keep(&cache, &run));
    assert_null(run_cache_take(&cache, 37));
    assert_null(run_cache_take(&cache, 31));
    assert_ptr_equal(run_cache_take(&cache, 32), &run);
    assert_null(run_cache_take(&cache, 32));
    assert_int_equal(cache.bytes, 0);
}

static void the_oldest_makes_place(void **state)
{
    (void)state;
    struct run_cache cache = {0};
    struct span runs[RUN_CACHE_COUNT + 1];
    for (unsigned i = 0; i <= RUN_CACHE_COUNT; i++) {
        runs[i] = run_of(100 + i);
        struct span *gone = run_cache_keep(&cache, &runs[i]);
        assert_ptr_equal(gone, i == RUN_CACHE_COUNT ? &runs[0] : NULL);
    }
    size_t bytes = 0;
    for (unsigned i = 1; i <= RUN_CACHE_COUNT; i++) bytes += runs[i].size;
    assert_int_equal(cache.bytes, bytes);
    for (unsigned i = 0; i < RUN_CACHE_COUNT; i++) assert_non_null(run_cache_take_any(&cache));
    assert_null(run_cache_take_any(&cache));
    assert_int_equal(cache.bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_fits_what_it_is_at_most_an_eighth_longer_than),
        cmocka_unit_test(the_oldest_makes_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
