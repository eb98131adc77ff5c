// Protects: what was given out stays where it is, and equal strings are one.
#include "symbols/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void equal_strings_are_one(void **state)
{
    (void)state;
    struct store store;
    store_init(&store);
    const char *a = store_string(&store, "malloc", 6);
    assert_string_equal(a, "malloc");
    assert_ptr_equal(store_string(&store, "mallocx", 6), a);
    assert_ptr_not_equal(store_string(&store, "mallocx", 7), a);
    assert_string_equal(store_string(&store, "", 0), "");
    store_deinit(&store);
}

static void a_hundred_thousand_stay_where_they_are(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    struct store store;
    store_init(&store);
    const char **strings = calloc(COUNT, sizeof *strings);
    assert_non_null(strings);
    char text[32];
    for (int i = 0; i < COUNT; i++) {
        int len = snprintf(text, sizeof text, "function_%d", i);
        strings[i] = store_string(&store, text, (size_t)len);
        assert_non_null(strings[i]);
    }
    for (int i = 0; i < COUNT; i++) {
        int len = snprintf(text, sizeof text, "function_%d", i);
        assert_ptr_equal(store_string(&store, text, (size_t)len), strings[i]);
        assert_string_equal(strings[i], text);
    }
    free(strings);
    store_deinit(&store);
}

static void memory_is_zeroed_and_aligned_also_when_large(void **state)
{
    (void)state;
    struct store store;
    store_init(&store);
    const size_t sizes[] = {1, 3, 100, 70000, 5, 1000000, 16};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *taken = store_take(&store, sizes[i]);
        assert_non_null(taken);
        assert_int_equal((uintptr_t)taken % _Alignof(max_align_t), 0);
        for (size_t j = 0; j < sizes[i]; j++) assert_int_equal(taken[j], 0);
        memset(taken, 0xa5, sizes[i]);
    }
    errno = 0;
    assert_null(store_take(&store, SIZE_MAX));
    assert_int_equal(errno, ENOMEM);
    store_deinit(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_strings_are_one),
        cmocka_unit_test(a_hundred_thousand_stay_where_they_are),
        cmocka_unit_test(memory_is_zeroed_and_aligned_also_when_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
