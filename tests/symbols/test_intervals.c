// Protects: an address belongs to the range that its symbol table means, whatever else overlaps.
#include "symbols/intervals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>

struct range {
    uint64_t start;
    uint64_t end;
};

static void settle(struct intervals *self, const struct range *ranges, size_t count)
{
    intervals_init(self);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(intervals_add(self, ranges[i].start, ranges[i].end, (uint32_t)i), 0);
    }
    assert_int_equal(intervals_settle(self), 0);
}

static void expect(const struct intervals *self, uint64_t address, uint32_t item)
{
    assert_int_equal(intervals_find(self, address), item);
}

static void nothing_holds_an_address_of_none(void **state)
{
    (void)state;
    struct intervals intervals;
    settle(&intervals, NULL, 0);
    expect(&intervals, 0, INTERVALS_NONE);
    expect(&intervals, UINT64_MAX, INTERVALS_NONE);
    intervals_deinit(&intervals);
}

static void an_end_is_one_past_and_gaps_are_nobodys(void **state)
{
    (void)state;
    const struct range ranges[] = {{20, 30}, {10, 15}, {40, 40}};
    struct intervals intervals;
    settle(&intervals, ranges, 3);
    expect(&intervals, 9, INTERVALS_NONE);
    expect(&intervals, 10, 1);
    expect(&intervals, 14, 1);
    expect(&intervals, 15, INTERVALS_NONE);
    expect(&intervals, 29, 0);
    expect(&intervals, 30, INTERVALS_NONE);
    expect(&intervals, 40, INTERVALS_NONE);
    intervals_deinit(&intervals);
}

static void the_later_beginning_holds_and_the_outer_one_goes_on(void **state)
{
    (void)state;
    const struct range ranges[] = {{0, 100}, {10, 20}, {15, 30}};
    struct intervals intervals;
    settle(&intervals, ranges, 3);
    expect(&intervals, 5, 0);
    expect(&intervals, 12, 1);
    expect(&intervals, 17, 2);
    expect(&intervals, 25, 2);
    expect(&intervals, 30, 0);
    expect(&intervals, 99, 0);
    intervals_deinit(&intervals);
}

static void of_equal_beginnings_the_last_added_holds(void **state)
{
    (void)state;
    const struct range ranges[] = {{10, 50}, {10, 20}, {10, 20}};
    struct intervals intervals;
    settle(&intervals, ranges, 3);
    expect(&intervals, 10, 2);
    expect(&intervals, 20, 0);
    intervals_deinit(&intervals);
}

// Against the rule said directly: of the ranges that hold it, the latest beginning, the last added.
static void random_ranges_are_found_by_the_rule(void **state)
{
    (void)state;
    enum { RANGES = 24, SPACE = 64 };
    unsigned seed = 7;
    for (int round = 0; round < 3000; round++) {
        struct range ranges[RANGES];
        for (size_t i = 0; i < RANGES; i++) {
            seed = seed * 1664525 + 1013904223;
            ranges[i].start = (seed >> 8) % SPACE;
            ranges[i].end = ranges[i].start + (seed >> 20) % 20;
        }
        struct intervals intervals;
        settle(&intervals, ranges, RANGES);
        for (uint64_t address = 0; address < SPACE + 20; address++) {
            uint32_t best = INTERVALS_NONE;
            for (uint32_t i = 0; i < RANGES; i++) {
                bool holds = ranges[i].start <= address && address < ranges[i].end;
                if (!holds) continue;
                if (best == INTERVALS_NONE || ranges[i].start >= ranges[best].start) best = i;
            }
            expect(&intervals, address, best);
        }
        intervals_deinit(&intervals);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_holds_an_address_of_none),
        cmocka_unit_test(an_end_is_one_past_and_gaps_are_nobodys),
        cmocka_unit_test(the_later_beginning_holds_and_the_outer_one_goes_on),
        cmocka_unit_test(of_equal_beginnings_the_last_added_holds),
        cmocka_unit_test(random_ranges_are_found_by_the_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
