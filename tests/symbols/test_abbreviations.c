// Protects: a table of abbreviations with a form that leads out of its unit is told from others,
// wherever it is cut off.
#include "symbols/abbreviations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dwarf.h>

enum { TAG = DW_TAG_subprogram, MORE = 0x80 };

static void expect_whole(const uint8_t *bytes, uint64_t size, enum abbreviations wanted)
{
    assert_int_equal(abbreviations_look(bytes, size, 0), wanted);
}

static void a_table_of_its_own_is_within(void **state)
{
    (void)state;
    // Two abbreviations, the second with a constant whose bytes would mean something as forms.
    const uint8_t bytes[] = {
        1,
        TAG,
        0,
        DW_AT_name,
        DW_FORM_strp,
        0,
        0,
        2,
        TAG,
        1,
        DW_AT_call_line,
        DW_FORM_implicit_const,
        MORE | DW_FORM_ref_addr,
        0x10,
        DW_AT_type,
        DW_FORM_ref4,
        0,
        0,
        0,
    };
    expect_whole(bytes, sizeof bytes, ABBREVIATIONS_WITHIN);
    for (uint64_t size = 0; size < sizeof bytes; size++) {
        expect_whole(bytes, size, ABBREVIATIONS_CUT);
    }
    assert_int_equal(abbreviations_look(bytes, sizeof bytes, sizeof bytes), ABBREVIATIONS_CUT);
    assert_int_equal(abbreviations_look(bytes, sizeof bytes, UINT64_MAX), ABBREVIATIONS_CUT);
}

static void a_form_that_leads_out_is_seen_in_any_place(void **state)
{
    (void)state;
    static const uint8_t forms[] = {
        DW_FORM_ref_addr,
        DW_FORM_indirect,
        DW_FORM_ref_sig8,
        DW_FORM_ref_sup4,
        DW_FORM_ref_sup8,
        DW_FORM_strp_sup,
        0x2d,
    };
    for (size_t i = 0; i < sizeof forms; i++) {
        const uint8_t bytes[] = {
            1, TAG, 0, DW_AT_name, DW_FORM_strp, 0,          0,
            2, TAG, 0, DW_AT_name, DW_FORM_strp, DW_AT_type, forms[i],
            0, 0,   0,
        };
        expect_whole(bytes, sizeof bytes, ABBREVIATIONS_OUTWARD);
    }
    // DW_FORM_GNU_ref_alt takes two bytes.
    const uint8_t bytes[] = {1, TAG, 0, DW_AT_type, 0xa0, 0x3e, 0, 0, 0};
    expect_whole(bytes, sizeof bytes, ABBREVIATIONS_OUTWARD);
}

static void a_unit_with_its_other_half_elsewhere_is_seen(void **state)
{
    (void)state;
    const uint8_t five[] = {1, DW_TAG_skeleton_unit, 0, DW_AT_dwo_name, DW_FORM_strp, 0, 0, 0};
    const uint8_t four[] = {1, DW_TAG_compile_unit, 0, 0xb0, 0x42, DW_FORM_strp, 0, 0, 0};
    expect_whole(five, sizeof five, ABBREVIATIONS_OUTWARD);
    expect_whole(four, sizeof four, ABBREVIATIONS_OUTWARD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_of_its_own_is_within),
        cmocka_unit_test(a_form_that_leads_out_is_seen_in_any_place),
        cmocka_unit_test(a_unit_with_its_other_half_elsewhere_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
