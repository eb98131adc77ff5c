#include "base/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct pattern_field fields[] = {{'p', "77"}, {'n', "pro%pram"}, {'e', ""}};

static const char *expand(const char *pattern)
{
    static char buffer[64];
    assert_true(pattern_expand(pattern, fields, 3, buffer, sizeof buffer));
    return buffer;
}

static void fields_take_the_place_of_their_letters(void **state)
{
    (void)state;
    assert_string_equal(expand(""), "");
    assert_string_equal(expand("plain"), "plain");
    assert_string_equal(expand("%n.%p.mete"), "pro%pram.77.mete");
    assert_string_equal(expand("%p%p%e"), "7777");
}

static void two_percent_signs_are_one(void **state)
{
    (void)state;
    assert_string_equal(expand("%%p%%%p"), "%p%77");
}

static void what_is_no_field_stays_as_it_is(void **state)
{
    (void)state;
    assert_string_equal(expand("%x%"), "%x%");
}

static void what_does_not_fit_is_said(void **state)
{
    (void)state;
    char buffer[5];
    assert_true(pattern_expand("ab%p", fields, 3, buffer, sizeof buffer));
    assert_string_equal(buffer, "ab77");
    assert_false(pattern_expand("abc%p", fields, 3, buffer, sizeof buffer));
    assert_string_equal(buffer, "abc");
    assert_false(pattern_expand("abcdef", fields, 3, buffer, sizeof buffer));
    assert_string_equal(buffer, "abcd");
    assert_true(pattern_expand("%e", fields, 3, buffer, 1));
    assert_string_equal(buffer, "");
}

static void letters_are_found_where_they_are_fields(void **state)
{
    (void)state;
    assert_true(pattern_has("a%p", 'p'));
    assert_true(pattern_has("%%%p", 'p'));
    assert_false(pattern_has("%%p", 'p'));
    assert_false(pattern_has("p%", 'p'));
}

static void the_first_wrong_letter_is_named(void **state)
{
    (void)state;
    const char *wrong = NULL;
    assert_true(pattern_check("%p%%%n", "pn", &wrong));
    assert_null(wrong);
    assert_false(pattern_check("a%p%x%y", "pn", &wrong));
    assert_string_equal(wrong, "%x%y");
    assert_false(pattern_check("a%", "pn", &wrong));
    assert_string_equal(wrong, "%");
}

static void an_escaped_text_means_itself(void **state)
{
    (void)state;
    char buffer[16];
    assert_true(pattern_escape("100%/%p", buffer, sizeof buffer));
    assert_string_equal(buffer, "100%%/%%p");
    assert_string_equal(expand(buffer), "100%/%p");
    assert_true(pattern_escape("%%", buffer, 5));
    assert_false(pattern_escape("%%", buffer, 4));
    assert_false(pattern_escape("abc", buffer, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_take_the_place_of_their_letters),
        cmocka_unit_test(two_percent_signs_are_one),
        cmocka_unit_test(what_is_no_field_stays_as_it_is),
        cmocka_unit_test(what_does_not_fit_is_said),
        cmocka_unit_test(letters_are_found_where_they_are_fields),
        cmocka_unit_test(the_first_wrong_letter_is_named),
        cmocka_unit_test(an_escaped_text_means_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
