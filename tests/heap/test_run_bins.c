// Protects: a run long enough is found whenever there is one, and it is about the shortest.
#include "heap/run_bins.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

enum { RUNS = 200 };

static struct span *make_run(size_t page_count)
{
    struct span *run = span_create(PAGE_SIZE, page_count << PAGE_SHIFT, true);
    span_set_state(run, SPAN_FREE);
    return run;
}

static void an_empty_set_has_nothing(void **state)
{
    (void)state;
    struct run_bins bins = {0};
    run_bins_init(&bins);
    assert_null(run_bins_peek(&bins));
    for (size_t pages = 1; pages <= (size_t)1 << 34; pages *= 2) {
        assert_null(run_bins_find(&bins, pages));
    }
    assert_int_equal(bins.bytes, 0);
}

static void up_to_64_pages_the_shortest_that_fits_is_found(void **state)
{
    (void)state;
    struct run_bins bins = {0};
    struct span *runs[RUN_BIN_EXACT_MAX + 1];
    run_bins_init(&bins);
    for (size_t pages = 2; pages <= RUN_BIN_EXACT_MAX; pages += 3) {
        runs[pages] = make_run(pages);
        run_bins_add(&bins, runs[pages]);
    }
    for (size_t pages = 1; pages <= 62; pages++) {
        size_t expected = pages <= 2 ? 2 : (pages + 0) + (3 - (pages - 2) % 3) % 3;
        struct span *found = run_bins_find(&bins, pages);
        assert_non_null(found);
        assert_int_equal(found->page_count, expected);
    }
    assert_null(run_bins_find(&bins, 63));
}

static void any_run_is_found_for_every_length_up_to_its_own(void **state)
{
    (void)state;
    struct run_bins bins = {0};
    run_bins_init(&bins);
    for (size_t length = 1; length <= (size_t)1 << 20; length += length / 7 + 1) {
        struct span *run = make_run(length);
        run_bins_add(&bins, run);
        assert_ptr_equal(run_bins_peek(&bins), run);
        assert_int_equal(bins.bytes, length << PAGE_SHIFT);
        for (size_t pages = 1; pages <= length; pages += pages / 9 + 1) {
            assert_ptr_equal(run_bins_find(&bins, pages), run);
        }
        assert_ptr_equal(run_bins_find(&bins, length), run);
        assert_null(run_bins_find(&bins, length + 1));
        run_bins_remove(&bins, run);
        assert_null(run_bins_peek(&bins));
        assert_int_equal(bins.bytes, 0);
        span_destroy(run);
    }
}

// Many runs of nearly that length are in the way, and nothing longer exists.
static void the_only_one_that_fits_is_found_among_many_that_do_not(void **state)
{
    (void)state;
    struct run_bins bins = {0};
    run_bins_init(&bins);
    struct span *fitting = make_run(71);
    run_bins_add(&bins, fitting);
    for (int i = 0; i < 100; i++) run_bins_add(&bins, make_run(65));
    assert_ptr_equal(run_bins_find(&bins, 71), fitting);
    assert_ptr_equal(run_bins_find(&bins, 66), fitting);
    assert_null(run_bins_find(&bins, 72));
}

static void random_sets_agree_with_a_search_of_all(void **state)
{
    (void)state;
    unsigned seed = 20261122;
    print_message("# seed %u\n", seed);
    struct run_bins bins = {0};
    struct span *runs[RUNS] = {NULL};
    size_t bytes = 0;
    run_bins_init(&bins);
    for (int step = 0; step < 100000; step++) {
        size_t at = (size_t)rand_r(&seed) % RUNS;
        if (runs[at]) {
            run_bins_remove(&bins, runs[at]);
            bytes -= runs[at]->size;
            span_destroy(runs[at]);
            runs[at] = NULL;
        } else {
            runs[at] = make_run(1 + (size_t)rand_r(&seed) % (1u << rand_r(&seed) % 20));
            run_bins_add(&bins, runs[at]);
            bytes += runs[at]->size;
        }
        assert_int_equal(bins.bytes, bytes);
        size_t wanted = 1 + (size_t)rand_r(&seed) % (1u << rand_r(&seed) % 20);
        size_t shortest = SIZE_MAX;
        for (size_t i = 0; i < RUNS; i++) {
            if (runs[i] && runs[i]->page_count >= wanted && runs[i]->page_count < shortest) {
                shortest = runs[i]->page_count;
            }
        }
        const struct span *found = run_bins_find(&bins, wanted);
        assert_int_equal(found != NULL, shortest != SIZE_MAX);
        if (!found) continue;
        assert_true(found->page_count >= wanted);
        // Exact among short ones; else within two steps of an eighth of the best.
        if (shortest <= RUN_BIN_EXACT_MAX) assert_int_equal(found->page_count, shortest);
        if (shortest < (size_t)1 << 17) {
            assert_true(found->page_count <= shortest + shortest / 3);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_set_has_nothing),
        cmocka_unit_test(up_to_64_pages_the_shortest_that_fits_is_found),
        cmocka_unit_test(any_run_is_found_for_every_length_up_to_its_own),
        cmocka_unit_test(the_only_one_that_fits_is_found_among_many_that_do_not),
        cmocka_unit_test(random_sets_agree_with_a_search_of_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
