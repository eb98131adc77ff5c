// Protects: free runs merge with neighbours of their kind, are cut to measure, and leave no struct
// behind.
#include "heap/free_runs.h"
#include "heap/span_map.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { PAGES = 30 };

static struct free_runs runs;
static uintptr_t base;

static struct span *insert(size_t first_page, size_t page_count, bool is_dirty)
{
    struct span *run = span_create(base + first_page * PAGE_SIZE, page_count * PAGE_SIZE, is_dirty);
    assert_non_null(run);
    free_runs_insert(&runs, run);
    return run;
}

static void expect_run(size_t first_page, size_t page_count, bool is_dirty)
{
    const struct span *run = span_map_peek(base + first_page * PAGE_SIZE);
    if (!run || span_state(run) != SPAN_FREE) {
        fail_msg("no free run at page %zu", first_page);
        return; // never: for the compiler
    }
    assert_int_equal(run->base, base + first_page * PAGE_SIZE);
    assert_int_equal(run->page_count, page_count);
    assert_int_equal(run->is_dirty, is_dirty);
    assert_ptr_equal(span_map_peek(run->base + run->size - PAGE_SIZE), run);
}

static void expect_bytes(size_t dirty_pages, size_t clean_pages)
{
    assert_int_equal(runs.dirty.bytes, dirty_pages * PAGE_SIZE);
    assert_int_equal(runs.clean.bytes, clean_pages * PAGE_SIZE);
    assert_int_equal(list_is_empty(&runs.by_age), dirty_pages == 0);
}

static void clear(void)
{
    struct span *run;
    while ((run = run_bins_peek(&runs.dirty)) || (run = run_bins_peek(&runs.clean))) {
        free_runs_detach(&runs, run);
        free_runs_bury(&runs, run);
    }
    free_runs_reap(&runs);
    expect_bytes(0, 0);
    for (size_t i = 0; i < PAGES; i++) assert_null(span_map_peek(base + i * PAGE_SIZE));
}

static void neighbours_of_one_kind_merge(void **state)
{
    (void)state;
    insert(0, 5, true);
    insert(10, 5, true);
    insert(5, 5, true);
    expect_run(0, 15, true);
    expect_bytes(15, 0);
    assert_false(list_is_empty(&runs.buried)); // two structs, until somebody may destroy them
    free_runs_reap(&runs);
    assert_true(list_is_empty(&runs.buried));
    clear();
}

static void neighbours_of_two_kinds_stay_apart(void **state)
{
    (void)state;
    insert(0, 5, true);
    insert(5, 5, false);
    insert(10, 5, true);
    expect_run(0, 5, true);
    expect_run(5, 5, false);
    expect_run(10, 5, true);
    expect_bytes(10, 5);
    clear();
}

static void what_is_cut_off_goes_back(void **state)
{
    (void)state;
    struct span *run = insert(0, 20, true);
    run->freed_ms = 77;
    free_runs_detach(&runs, run);
    assert_true(free_runs_carve(&runs, run, base + 4 * PAGE_SIZE, 6 * PAGE_SIZE));
    assert_int_equal(run->base, base + 4 * PAGE_SIZE);
    assert_int_equal(run->page_count, 6);
    expect_run(0, 4, true);
    expect_run(10, 10, true);
    expect_bytes(14, 0);
    assert_int_equal(span_map_peek(base)->freed_ms, 77); // as old as the whole
    free_runs_insert(&runs, run);
    expect_run(0, 20, true);
    clear();
}

static void the_oldest_stands_first(void **state)
{
    (void)state;
    struct span *first = insert(0, 3, true);
    struct span *second = insert(10, 3, true);
    assert_ptr_equal(LIST_ENTRY(runs.by_age.next, struct span, age), first);
    free_runs_detach(&runs, first);
    assert_ptr_equal(LIST_ENTRY(runs.by_age.next, struct span, age), second);
    free_runs_insert(&runs, first);
    assert_ptr_equal(LIST_ENTRY(runs.by_age.next, struct span, age), second);
    clear();
}

int main(void)
{
    base = (uintptr_t)pages_map(PAGES * PAGE_SIZE);
    free_runs_init(&runs);
    if (!base || !span_map_reserve(base - PAGE_SIZE, (PAGES + 2) * PAGE_SIZE)) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbours_of_one_kind_merge),
        cmocka_unit_test(neighbours_of_two_kinds_stay_apart),
        cmocka_unit_test(what_is_cut_off_goes_back),
        cmocka_unit_test(the_oldest_stands_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
