// Protects: what a look for leaks has counted: by site and kind, indirect ones by who leads to
// them; and that what finds no room costs a leader's name and never a block. And the regions that
// the program says are in use: past the limit it is known that there are more.
#include "track/leak_counts.h"

#include "track/leak_regions.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { SITES = 600 };

static struct leak_counts counts;

static uint64_t blocks_of(uint32_t site, enum record_leak_kind kind)
{
    return counts.all[site * RECORD_LEAK_KINDS + kind].blocks;
}

static void each_is_counted_where_it_belongs(void **state)
{
    (void)state;
    assert_true(leak_counts_begin(&counts, SITES));
    leak_counts_add(&counts, 7, RECORD_LOST_DIRECT, 100);
    leak_counts_add(&counts, 7, RECORD_REACHABLE, 1);
    leak_counts_add(&counts, SITES, RECORD_REACHABLE, 1); // of a site that came later: as site 0
    leak_counts_add_indirect(&counts, 8, 7, 30);
    leak_counts_add_indirect(&counts, 8, 7, 12);
    leak_counts_add_indirect(&counts, 8, 9, 1);
    assert_int_equal(blocks_of(7, RECORD_LOST_DIRECT), 1);
    assert_int_equal(blocks_of(0, RECORD_REACHABLE), 1);
    assert_int_equal(counts.pair_count, 2);
    assert_int_equal(counts.pairs[0].leader, 7);
    assert_int_equal(counts.pairs[0].count.blocks, 2);
    assert_int_equal(counts.pairs[0].count.bytes, 42);
    assert_int_equal(leak_counts_lost(&counts), 4);
    leak_counts_end(&counts);
}

static void without_room_it_is_not_known_who_leads(void **state)
{
    (void)state;
    assert_true(leak_counts_begin(&counts, SITES));
    leak_counts_add(&counts, 1, RECORD_LOST_DIRECT, 1);
    for (uint32_t site = 1; site < 11; site++) leak_counts_add_indirect(&counts, site, 1, 5);
    leak_counts_settle(&counts, 11); // just enough
    assert_int_equal(counts.pair_count, 10);
    leak_counts_settle(&counts, 10);
    assert_int_equal(counts.pair_count, 0);
    assert_int_equal(leak_counts_lost(&counts), 11);
    for (uint32_t site = 1; site < 11; site++) {
        assert_int_equal(blocks_of(site, RECORD_LOST_INDIRECT), 1);
    }
    leak_counts_end(&counts);
}

static void past_the_limit_of_pairs_all_blocks_are_counted(void **state)
{
    (void)state;
    assert_true(leak_counts_begin(&counts, SITES));
    for (uint32_t site = 0; site < SITES; site++) {
        for (uint32_t leader = 0; leader < SITES; leader++) {
            leak_counts_add_indirect(&counts, site, leader, 1);
        }
    }
    assert_int_equal(counts.pair_count, LEAK_PAIRS_MAX);
    assert_int_equal(leak_counts_lost(&counts), SITES * SITES);
    leak_counts_end(&counts);
}

static size_t seen;

static void see(void *context, uintptr_t start, uintptr_t end)
{
    (void)context;
    assert_int_equal(end - start, 100);
    seen++;
}

static void regions_past_the_limit_are_not_forgotten(void **state)
{
    (void)state;
    for (uintptr_t i = 1; i <= LEAK_REGIONS_MAX; i++) leak_regions_add(i * 4096, 100);
    assert_true(leak_regions_are_whole());
    leak_regions_add(77, 100);
    assert_false(leak_regions_are_whole());
    leak_regions_walk(see, NULL);
    assert_int_equal(seen, LEAK_REGIONS_MAX);
    leak_regions_remove(77, 100); // which of them is not known
    assert_false(leak_regions_are_whole());
    leak_regions_remove(4096, 99); // was never
    for (uintptr_t i = 1; i <= LEAK_REGIONS_MAX; i++) leak_regions_remove(i * 4096, 100);
    leak_regions_add(UINTPTR_MAX - 5, 100); // wraps
    seen = 0;
    leak_regions_walk(see, NULL);
    assert_int_equal(seen, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_counted_where_it_belongs),
        cmocka_unit_test(without_room_it_is_not_known_who_leads),
        cmocka_unit_test(past_the_limit_of_pairs_all_blocks_are_counted),
        cmocka_unit_test(regions_past_the_limit_are_not_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
