// Protects: what a run on its way to the OS says of itself is so at every moment a fork may come.
#include "heap/resting.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <string.h>
#include <sys/mman.h>

static struct resting resting;

static struct span *add_run(size_t size)
{
    char *pages = pages_map(size);
    assert_non_null(pages);
    memset(pages, 0xaa, size);
    struct span *run = span_create((uintptr_t)pages, size, true);
    assert_non_null(run);
    resting_add(&resting, run);
    assert_int_equal(span_state(run), SPAN_RESTING);
    return run;
}

static void one_that_nobody_purged_stays_as_it_is(void **state)
{
    (void)state;
    struct span *run = add_run(4 * PAGE_SIZE);
    assert_int_equal(resting.bytes, 4 * PAGE_SIZE);
    assert_int_equal(resting_remove(&resting, run), RESTING_STAYED);
    assert_int_equal(*(unsigned char *)run->base, 0xaa);
    assert_int_equal(resting.bytes, 0);
    assert_true(list_is_empty(&resting.runs));
}

static void a_purged_one_is_zero_and_stays_mapped(void **state)
{
    (void)state;
    struct span *run = add_run(4 * PAGE_SIZE);
    resting_purge(run);
    assert_int_equal(*(unsigned char *)run->base, 0);
    assert_int_equal(resting_remove(&resting, run), RESTING_IS_CLEAN);
}

static void an_unmapped_one_is_gone(void **state)
{
    (void)state;
    struct span *run = add_run((size_t)1 << 20);
    resting_unmap(run);
    unsigned char vector;
    assert_int_not_equal(mincore((void *)run->base, PAGE_SIZE, &vector), 0);
    assert_int_equal(resting_remove(&resting, run), RESTING_IS_GONE);
}

// The kernel may have been through with it or not.
static void one_whose_unmapping_had_begun_is_given_up(void **state)
{
    (void)state;
    struct span *run = add_run((size_t)1 << 20);
    span_set_state(run, SPAN_UNMAPPING);
    assert_int_equal(resting_remove(&resting, run), RESTING_IS_GONE);
}

int main(void)
{
    resting_init(&resting);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_nobody_purged_stays_as_it_is),
        cmocka_unit_test(a_purged_one_is_zero_and_stays_mapped),
        cmocka_unit_test(an_unmapped_one_is_gone),
        cmocka_unit_test(one_whose_unmapping_had_begun_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
