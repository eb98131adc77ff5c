// Protects: the units that hold addresses are found as .debug_aranges has them, and only if it has
// all; damaged ones say nothing.
#include "symbols/address_ranges.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// A set with one range, and the two zeros at its end.
struct set {
    uint32_t length;
    uint16_t version;
    uint16_t unit_low; // the offset of the unit is not aligned
    uint16_t unit_high;
    uint8_t address_size;
    uint8_t segment_size;
    uint32_t padding;
    uint64_t range[2];
    uint64_t end[2];
};

static struct set set_of(uint16_t unit, uint64_t start, uint64_t size)
{
    return (struct set){
        .length = sizeof(struct set) - sizeof(uint32_t),
        .version = 2,
        .unit_low = unit,
        .address_size = 8,
        .range = {start, size},
    };
}

static int find(const struct set *sets, size_t count, const uint64_t *addresses,
                size_t address_count, uint64_t **units_out, size_t *unit_count_out)
{
    const struct address_list list = {addresses, address_count, 0x40};
    return address_ranges_find((const uint8_t *)sets, count * sizeof *sets, &list, units_out,
                               unit_count_out);
}

static void units_come_once_and_in_the_order_of_their_offsets(void **state)
{
    (void)state;
    const struct set sets[] = {
        set_of(300, 0x3000, 0x10), set_of(100, 0x1000, 0x10), set_of(100, 0x1100, 0x10),
        set_of(200, 0x2000, 0x10), set_of(400, 0x100f, 0x01),
    };
    const uint64_t addresses[] = {0x1000, 0x100f, 0x1100, 0x3000, 0x300f};
    uint64_t *units = NULL;
    size_t count = 0;
    assert_int_equal(find(sets, 5, addresses, 5, &units, &count), 0);
    assert_int_equal(count, 3);
    assert_int_equal(units[0], 100);
    assert_int_equal(units[1], 300);
    assert_int_equal(units[2], 400);
    free(units);
}

static void an_address_left_out_is_said(void **state)
{
    (void)state;
    const struct set set = set_of(0, 0x1000, 0x10);
    const uint64_t addresses[] = {0x1000, 0x1010};
    uint64_t *units = NULL;
    size_t count = 7;
    assert_int_equal(find(&set, 1, addresses, 2, &units, &count), -ENODATA);
    assert_null(units);
    assert_int_equal(count, 7);
}

static void code_that_the_linker_threw_away_holds_nothing(void **state)
{
    (void)state;
    const struct set set = set_of(0, 0, 0x5000);
    const uint64_t address = 0x1000;
    uint64_t *units = NULL;
    size_t count = 0;
    assert_int_equal(find(&set, 1, &address, 1, &units, &count), -ENODATA);
}

static void a_damaged_set_is_not_believed(void **state)
{
    (void)state;
    const uint64_t address = 0x1000;
    uint64_t *units = NULL;
    size_t count = 0;
    struct set sets[4] = {
        set_of(0, 0x1000, 0x10),
        set_of(0, 0x1000, 0x10),
        set_of(0, 0x1000, 0x10),
        set_of(0, 0x1000, 0x10),
    };
    sets[0].length++; // past the end
    sets[1].version = 3;
    sets[2].address_size = 4;
    sets[3].segment_size = 2;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(find(&sets[i], 1, &address, 1, &units, &count), -ENODATA);
    }
    const struct address_list list = {&address, 1, 0x40};
    const struct set good = set_of(0, 0x1000, 0x10);
    for (size_t size = 0; size < sizeof good; size++) {
        assert_int_equal(address_ranges_find((const uint8_t *)&good, size, &list, &units, &count),
                         -ENODATA);
    }
}

static void a_range_to_the_end_of_all_addresses_ends_there(void **state)
{
    (void)state;
    const struct set set = set_of(9, 0x1000, UINT64_MAX);
    const uint64_t addresses[] = {0x1000, UINT64_MAX};
    uint64_t *units = NULL;
    size_t count = 0;
    assert_int_equal(find(&set, 1, addresses, 2, &units, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(units[0], 9);
    free(units);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units_come_once_and_in_the_order_of_their_offsets),
        cmocka_unit_test(an_address_left_out_is_said),
        cmocka_unit_test(code_that_the_linker_threw_away_holds_nothing),
        cmocka_unit_test(a_damaged_set_is_not_believed),
        cmocka_unit_test(a_range_to_the_end_of_all_addresses_ends_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
