// Protects: every address inside a span leads to it and no other address does, wherever it lies and
// however long it is; any value may be asked. The spans here describe addresses that nobody maps:
// the map never looks at them.
#include "heap/span_map.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>

#define MIB ((uintptr_t)1 << 20)
#define GIB ((uintptr_t)1 << 30)
#define FAR ((uintptr_t)1 << 40) // nobody maps anything there

static struct span *make_span(enum span_state state, uintptr_t base, size_t size)
{
    assert_true(span_map_reserve(base, size));
    struct span *span = span_create(base, size, false);
    span_set_state(span, state);
    span_map_add(span);
    return span;
}

static void drop_span(struct span *span)
{
    span_map_remove(span);
    span_destroy(span);
}

// The span is found from its ends, the edges of its pages, and from places at random.
static void expect_found(struct span *span)
{
    static unsigned seed = 1;
    uintptr_t end = span->base + span->size;
    assert_ptr_equal(span_map_find(span->base), span);
    assert_ptr_equal(span_map_find(end - 1), span);
    assert_null(span_map_find(span->base - 1));
    assert_null(span_map_find(end));
    for (int i = 0; i < 20000; i++) {
        size_t offset = ((size_t)rand_r(&seed) << 31 | (size_t)rand_r(&seed)) % span->size;
        assert_ptr_equal(span_map_find(span->base + offset), span);
    }
}

static void expect_gone(uintptr_t base, size_t size)
{
    for (uintptr_t at = base; at < base + size; at += PAGE_SIZE) {
        assert_null(span_map_peek(at));
        assert_null(span_map_find(at));
    }
}

static void small_and_large_spans_are_found_from_every_byte(void **state)
{
    (void)state;
    const enum span_state states[] = {SPAN_CURRENT, SPAN_GROWING, SPAN_PARTIAL, SPAN_FULL,
                                      SPAN_LARGE};
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        struct span *span = make_span(states[i], FAR + 5 * PAGE_SIZE, 16 * PAGE_SIZE);
        for (uintptr_t at = span->base; at < span->base + span->size; at++) {
            assert_ptr_equal(span_map_find(at), span);
        }
        expect_found(span);
        drop_span(span);
        expect_gone(FAR, 32 * PAGE_SIZE);
    }
}

static void a_large_span_may_cross_from_leaf_to_leaf(void **state)
{
    (void)state;
    struct span *span = make_span(SPAN_LARGE, FAR + GIB - 3 * MIB, 7 * MIB);
    expect_found(span);
    drop_span(span);
    expect_gone(FAR + GIB - 4 * MIB, 9 * MIB);
}

static void direct_spans_are_found_far_inside_whatever_their_start(void **state)
{
    (void)state;
    const uintptr_t starts[] = {0, PAGE_SIZE, 32 * MIB - PAGE_SIZE, 17 * MIB, 511 * MIB};
    const size_t sizes[] = {PAGE_SIZE, MIB,      32 * MIB - PAGE_SIZE,  32 * MIB,
                            33 * MIB,  64 * MIB, 600 * MIB + PAGE_SIZE, 3 * GIB};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        for (size_t j = 0; j < sizeof sizes / sizeof sizes[0]; j++) {
            struct span *span = make_span(SPAN_DIRECT, FAR + starts[i], sizes[j]);
            expect_found(span);
            drop_span(span);
            expect_gone(FAR + starts[i], sizes[j]);
        }
    }
}

static void neighbours_do_not_answer_for_each_other(void **state)
{
    (void)state;
    struct span *direct = make_span(SPAN_DIRECT, FAR, 100 * MIB + PAGE_SIZE);
    struct span *large = make_span(SPAN_LARGE, FAR + 100 * MIB + PAGE_SIZE, 5 * PAGE_SIZE);
    struct span *second = make_span(SPAN_DIRECT, FAR + 100 * MIB + 6 * PAGE_SIZE, 80 * MIB);
    assert_ptr_equal(span_map_find(large->base - 1), direct);
    assert_ptr_equal(span_map_find(large->base), large);
    assert_ptr_equal(span_map_find(second->base - 1), large);
    assert_ptr_equal(span_map_find(second->base), second);
    assert_ptr_equal(span_map_find(FAR + 130 * MIB), second);
    drop_span(direct);
    assert_null(span_map_find(FAR + 50 * MIB));
    assert_ptr_equal(span_map_find(large->base), large);
    assert_ptr_equal(span_map_find(FAR + 130 * MIB), second);
    drop_span(second);
    assert_ptr_equal(span_map_find(large->base), large);
    drop_span(large);
    expect_gone(FAR, 200 * MIB);
}

static void a_free_run_stands_at_its_ends_alone_and_is_not_found(void **state)
{
    (void)state;
    struct span *run = make_span(SPAN_FREE, FAR, 10 * PAGE_SIZE);
    assert_ptr_equal(span_map_peek(FAR), run);
    assert_ptr_equal(span_map_peek(FAR + 9 * PAGE_SIZE), run);
    for (uintptr_t page = 1; page < 9; page++) assert_null(span_map_peek(FAR + page * PAGE_SIZE));
    for (uintptr_t page = 0; page < 10; page++) assert_null(span_map_find(FAR + page * PAGE_SIZE));
    drop_span(run);
    struct span *one = make_span(SPAN_FREE, FAR, PAGE_SIZE);
    assert_ptr_equal(span_map_peek(FAR), one);
    drop_span(one);
    expect_gone(FAR, 10 * PAGE_SIZE);
}

static void going_through_them_meets_each_once_in_order(void **state)
{
    (void)state;
    struct span *spans[] = {
        make_span(SPAN_FREE, FAR, 10 * PAGE_SIZE),
        make_span(SPAN_FULL, FAR + 10 * PAGE_SIZE, 4 * PAGE_SIZE),
        make_span(SPAN_LARGE, FAR + GIB, 9 * PAGE_SIZE),
        make_span(SPAN_DIRECT, FAR + 2 * GIB + PAGE_SIZE, 700 * MIB),
        make_span(SPAN_FREE, FAR + 9 * GIB - PAGE_SIZE, 2 * PAGE_SIZE),
    };
    const size_t count = sizeof spans / sizeof spans[0];
    size_t i = 0;
    for (struct span *span = span_map_next(FAR); span;
         span = span_map_next(span->base + span->size)) {
        assert_true(i < count);
        assert_ptr_equal(span, spans[i++]);
    }
    assert_int_equal(i, count);
    for (i = 0; i < count; i++) drop_span(spans[i]);
    assert_null(span_map_next(FAR));
}

static void any_value_may_be_asked(void **state)
{
    (void)state;
    unsigned seed = 99;
    const uintptr_t values[] = {0,
                                1,
                                PAGE_SIZE,
                                (uintptr_t)&seed,
                                (uintptr_t)any_value_may_be_asked,
                                ((uintptr_t)1 << 47) - 1,
                                (uintptr_t)1 << 47,
                                (uintptr_t)1 << 63,
                                UINTPTR_MAX,
                                UINTPTR_MAX - PAGE_SIZE};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        assert_null(span_map_find(values[i]));
    }
    for (int i = 0; i < 1000000; i++) {
        uintptr_t word = (uintptr_t)rand_r(&seed) << 33 ^ (uintptr_t)rand_r(&seed);
        word >>= rand_r(&seed) % 24;
        assert_null(span_map_find(word)); // nothing is in the map now
    }
    assert_null(span_map_next((uintptr_t)1 << 47));
    assert_null(span_map_next(UINTPTR_MAX));
}

static void what_lies_beyond_user_space_gets_no_place(void **state)
{
    (void)state;
    const uintptr_t top = (uintptr_t)1 << 47;
    assert_false(span_map_reserve(top, PAGE_SIZE));
    assert_false(span_map_reserve(top - PAGE_SIZE, 2 * PAGE_SIZE));
    assert_true(span_map_reserve(top - PAGE_SIZE, PAGE_SIZE));
    struct span *span = make_span(SPAN_LARGE, top - PAGE_SIZE, PAGE_SIZE);
    assert_ptr_equal(span_map_find(top - 1), span);
    assert_null(span_map_find(top));
    drop_span(span);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_and_large_spans_are_found_from_every_byte),
        cmocka_unit_test(a_large_span_may_cross_from_leaf_to_leaf),
        cmocka_unit_test(direct_spans_are_found_far_inside_whatever_their_start),
        cmocka_unit_test(neighbours_do_not_answer_for_each_other),
        cmocka_unit_test(a_free_run_stands_at_its_ends_alone_and_is_not_found),
        cmocka_unit_test(going_through_them_meets_each_once_in_order),
        cmocka_unit_test(any_value_may_be_asked),
        cmocka_unit_test(what_lies_beyond_user_space_gets_no_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
