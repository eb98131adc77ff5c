// Protects: which large blocks come from the page heap and which get a mapping, that they hold what
// was asked at the alignment asked, and that one is given back once.
#include "heap_test.h"

#include "base/align.h"
#include "heap/large.h"
#include "heap/span_map.h"

#include <string.h>

static void the_threshold_decides_where_a_block_comes_from(void **state)
{
    (void)state;
    set_direct_size(MIB);
    assert_int_equal(large_direct_size_min(), MIB);
    const size_t sizes[] = {SMALL_SIZE_MAX + 1, 100 * KIB, MIB - 1, MIB, MIB + 1, 50 * MIB};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct span *span = large_take(sizes[i], GRANULE, PAGES_ANY);
        assert_non_null(span);
        assert_int_equal(span_state(span), sizes[i] < MIB ? SPAN_LARGE : SPAN_DIRECT);
        assert_int_equal(span->size, align_up(sizes[i], PAGE_SIZE));
        assert_int_equal(large_size_for(sizes[i]), span->size);
        assert_false(span_is_small(span));
        assert_ptr_equal(span_map_find(span->base + span->size - 1), span);
        (void)heap_check();
        assert_true(large_claim(span));
        large_give(span);
    }
    (void)heap_check();
}

static void it_starts_at_the_multiple_asked_for(void **state)
{
    (void)state;
    set_direct_size(MIB);
    for (size_t align = 1; align <= (size_t)1 << 28; align *= 2) {
        struct span *span = large_take(40000, align, PAGES_ANY);
        assert_non_null(span);
        assert_int_equal(span->base % align, 0);
        assert_true(span->size >= 40000);
        memset((void *)span->base, 1, span->size);
        assert_true(large_claim(span));
        large_give(span);
    }
    (void)heap_check();
}

static void the_second_claim_is_refused(void **state)
{
    (void)state;
    struct span *span = large_take(50000, GRANULE, PAGES_ANY);
    assert_true(large_claim(span));
    assert_false(large_claim(span));
    large_give(span);
}

static void impossible_sizes_and_alignments_are_null(void **state)
{
    (void)state;
    const size_t sizes[] = {(size_t)1 << 47, (size_t)1 << 62, PTRDIFF_MAX - 4096, PTRDIFF_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_null(large_take(sizes[i], GRANULE, PAGES_ANY));
        assert_null(large_take(sizes[i], (size_t)1 << 62, PAGES_ANY));
    }
    assert_null(large_take(40000, (size_t)1 << 62, PAGES_ANY));
    assert_null(large_take(40000, (size_t)1 << 48, PAGES_ANY));
    (void)heap_check();
}

static void zero_pages_are_clean_whatever_was_freed_before(void **state)
{
    (void)state;
    set_direct_size(32 * MIB);
    for (int round = 0; round < 20; round++) {
        struct span *span = large_take(200 * KIB, GRANULE, PAGES_ZERO);
        if (!span->is_dirty) {
            for (size_t i = 0; i < span->size; i++) assert_int_equal(((char *)span->base)[i], 0);
        }
        memset((void *)span->base, 0xaa, span->size);
        assert_true(large_claim(span));
        large_give(span);
        if (round % 5 == 4) (void)heap_trim(0);
    }
}

static void a_little_less_keeps_the_pages_much_less_gives_them_back(void **state)
{
    (void)state;
    set_direct_size(32 * MIB);
    struct span *span = large_take(100 * PAGE_SIZE, GRANULE, PAGES_ANY);
    assert_true(large_resize(span, 95 * PAGE_SIZE, false));
    assert_int_equal(span->page_count, 100);
    assert_true(large_resize(span, 50 * PAGE_SIZE, false));
    assert_int_equal(span->page_count, 50);
    (void)heap_check();
    assert_true(
        large_resize(span, 80 * PAGE_SIZE, false)); // what was given back is still behind it
    assert_int_equal(span->page_count, 80);
    (void)heap_check();
    assert_true(large_claim(span));
    large_give(span);
    (void)heap_check();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_threshold_decides_where_a_block_comes_from),
        cmocka_unit_test(it_starts_at_the_multiple_asked_for),
        cmocka_unit_test(the_second_claim_is_refused),
        cmocka_unit_test(impossible_sizes_and_alignments_are_null),
        cmocka_unit_test(zero_pages_are_clean_whatever_was_freed_before),
        cmocka_unit_test(a_little_less_keeps_the_pages_much_less_gives_them_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
