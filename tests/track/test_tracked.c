// Protects: the table of what the program tracks, against a plain one: what was added is there with
// what it was added with, what was removed is not, however often and in whatever order.
#include "track/tracked.h"

#include "os/own_pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <time.h>

enum { PLACES = 3000, STEPS = 200000 };

static struct tracked_range model[PLACES]; // size 0: not there
static uint64_t seed;

static uint64_t random_number(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static uintptr_t start_of(size_t place)
{
    return 0x7f0000000000 + place * 4096;
}

static void expect_same(const struct tracked_range *range, const struct tracked_range *expected)
{
    assert_int_equal(range->start, expected->start);
    assert_int_equal(range->size, expected->size);
    assert_int_equal(range->site, expected->site);
}

static void step(void)
{
    const size_t place = random_number() % PLACES;
    struct tracked_range *expected = &model[place];
    struct tracked_range was;
    if (expected->size == 0 && random_number() % 2 == 0) {
        const struct tracked_range range = {
            .start = start_of(place),
            .size = 1 + random_number() % 1000,
            .site = (uint32_t)random_number(),
        };
        assert_true(tracked_add(&range));
        *expected = range;
        return;
    }
    const bool is_there = expected->size != 0;
    assert_int_equal(tracked_remove(start_of(place), &was), is_there);
    if (is_there) expect_same(&was, expected);
    expected->size = 0;
}

static size_t walked;

static void see(void *context, struct tracked_range *range)
{
    (void)context;
    expect_same(range, &model[(range->start - start_of(0)) / 4096]);
    walked++;
}

static void it_is_what_a_plain_table_says(void **state)
{
    (void)state;
    assert_null(tracked_find(start_of(0)));
    assert_null(tracked_find(0));
    for (int i = 0; i < STEPS; i++) step();
    size_t count = 0;
    for (size_t i = 0; i < PLACES; i++) {
        const struct tracked_range *range = tracked_find(start_of(i));
        if (model[i].size == 0) assert_null(range);
        if (model[i].size == 0) continue;
        assert_non_null(range);
        expect_same(range, &model[i]);
        count++;
    }
    assert_int_equal(tracked_count(), count);
    walked = 0;
    tracked_walk(see, NULL);
    assert_int_equal(walked, count);
}

// Addresses that come once each must not make it larger than what is live.
static void what_is_gone_takes_no_room(void **state)
{
    (void)state;
    struct tracked_range was;
    for (size_t i = 0; i < 1000000; i++) {
        const struct tracked_range range = {.start = 0x1000 + i * 64, .size = 64, .site = 1};
        assert_true(tracked_add(&range));
        assert_true(tracked_remove(range.start, &was));
    }
    uintptr_t start;
    uintptr_t end;
    size_t size = 0;
    for (size_t i = 0; i < OWN_PAGES_MAX; i++) {
        if (own_pages_at(i, &start, &end)) size += end - start;
    }
    assert_in_range(size, 1, (size_t)1 << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_what_a_plain_table_says),
        cmocka_unit_test(what_is_gone_takes_no_room),
    };
    seed = (uint64_t)time(NULL) << 20 | 1;
    (void)fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
