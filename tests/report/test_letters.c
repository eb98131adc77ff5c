// Protects: what comes from outside cannot command a terminal, and fits the columns it is given.
#include "report/letters.h"

#include "report/line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void check_shown(const char *text, bool has_unicode, const char *expected)
{
    char shown[128];
    letters_show(text, has_unicode, shown, sizeof shown);
    assert_string_equal(shown, expected);
}

static void commands_and_what_is_no_unicode_become_question_marks(void **state)
{
    (void)state;
    check_shown("a\033[31mb\n\r\tc\x7f", true, "a?[31mb???c?");
    check_shown("ä\xc2\x9b読", true, "ä?読");
    check_shown("ä読", false, "??");
    check_shown("\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80\xff", true, "??????????");
    check_shown("\xe8\xaa", true, "??"); // cut off
    check_shown("a\xe2\x80\xae"
                "b",
                true, "a?b"); // turns the direction of writing
}

static void columns_are_counted_not_bytes(void **state)
{
    (void)state;
    assert_int_equal(letters_width("abc"), 3);
    assert_int_equal(letters_width("äöü"), 3);
    assert_int_equal(letters_width("読表"), 4);
    assert_int_equal(letters_width("e\xcc\x81"), 1); // with a combining accent
}

static void check_cut(const char *text, size_t columns, const char *expected)
{
    char shown[128];
    letters_show(text, true, shown, sizeof shown);
    letters_cut(shown, columns, true);
    assert_string_equal(shown, expected);
    assert_true(letters_width(shown) <= columns);
}

static void names_are_cut_where_their_parts_meet(void **state)
{
    (void)state;
    check_cut("a::bc::def::ghij", 16, "a::bc::def::ghij");
    check_cut("a::bc::def::ghij", 15, "a::…::def::ghij");
    check_cut("a::bc::def::ghij", 10, "a::…::ghij");
    check_cut("a::bc::def::ghij", 9, "…::ghij");
    check_cut("a::bc::def::ghij", 6, "a:…hij");
    check_cut("one<a::b>::two<c::d>::three", 20, "one<a::b>::…::three");
}

static void other_names_are_cut_in_the_middle(void **state)
{
    (void)state;
    check_cut("abcdefghij", 7, "abc…hij");
    check_cut("abcdefghij", 9, "abcd…ghij");
    check_cut("読表読表読表", 8, "読…読表");
    check_cut("abcdefghij", 1, "a");
    check_cut("abcdefghij", 0, "");
}

static void the_beginning_may_be_kept_instead(void **state)
{
    (void)state;
    char shown[] = "one two three";
    letters_cut_end(shown, 8, true);
    assert_string_equal(shown, "one two…");
    letters_cut_end(shown, 1, true);
    assert_string_equal(shown, "o");
}

static void the_first_variable_that_is_set_decides(void **state)
{
    (void)state;
    (void)unsetenv("LC_ALL");
    (void)unsetenv("LC_CTYPE");
    (void)setenv("LANG", "de_DE.UTF-8", 1);
    assert_true(letters_are_unicode());
    (void)setenv("LC_CTYPE", "C", 1);
    assert_false(letters_are_unicode());
    (void)setenv("LC_ALL", "C.utf8", 1);
    assert_true(letters_are_unicode());
    (void)setenv("LC_ALL", "", 1);
    assert_false(letters_are_unicode());
    (void)unsetenv("LC_CTYPE");
    (void)unsetenv("LANG");
    assert_false(letters_are_unicode());
}

// What a line of these calls looks like.
static char *written(void (*write)(struct line *), struct report_style style)
{
    char *bytes = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&bytes, &size);
    assert_non_null(out);
    struct line line = {.out = out, .style = style};
    write(&line);
    line_end(&line);
    (void)fclose(out);
    return bytes;
}

static void write_aligned(struct line *line)
{
    line_put_right(line, INK_PLAIN, "12", 5);
    line_go(line, 7);
    line_put_within(line, INK_BOLD, "a::bc::def", 14);
    line_put_right(line, INK_DIM, "end", 20);
    line_put_right(line, INK_PLAIN, "late", 20);
    line_go(line, 40);
}

static void lines_are_aligned_and_end_in_no_space(void **state)
{
    (void)state;
    char *text = written(write_aligned, (struct report_style){.has_unicode = true});
    assert_string_equal(text, "   12  …::def    end late\n");
    free(text);
}

static void colour_is_there_only_if_it_is_wanted(void **state)
{
    (void)state;
    char *text = written(write_aligned, (struct report_style){.has_colour = true});
    assert_string_equal(text, "   12  \033[1m..::def\033[0m   \033[2mend\033[0m late\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_and_what_is_no_unicode_become_question_marks),
        cmocka_unit_test(columns_are_counted_not_bytes),
        cmocka_unit_test(names_are_cut_where_their_parts_meet),
        cmocka_unit_test(other_names_are_cut_in_the_middle),
        cmocka_unit_test(the_beginning_may_be_kept_instead),
        cmocka_unit_test(the_first_variable_that_is_set_decides),
        cmocka_unit_test(lines_are_aligned_and_end_in_no_space),
        cmocka_unit_test(colour_is_there_only_if_it_is_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
