#include "cli/options.h"

#include "cli/output.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct option rows[] = {
    {.name = "json", .kind = OPTION_FLAG, .help = "as JSON"},
    {.name = "for", .letter = 'f', .kind = OPTION_VALUE, .value = "FORM", .help = "how"},
};
static const struct option_table table = {rows, 2, true, NULL};

static char taken[256]; // "name=value " for each option taken

static int take(void *context, const struct option *option, const char *value)
{
    (void)context;
    const size_t len = strlen(taken);
    (void)snprintf(taken + len, sizeof taken - len, "%s=%s ", option->name, value);
    return strcmp(value, "refuse") == 0 ? 77 : 0;
}

static int read_words(char **words, size_t *read_out)
{
    taken[0] = '\0';
    return options_read("try", table, words, take, NULL, read_out);
}
#define READ(read_out, ...) read_words((char *[]){__VA_ARGS__, NULL}, read_out)

static void options_end_at_the_first_word_that_is_none(void **state)
{
    (void)state;
    size_t read = 0;
    assert_int_equal(READ(&read, "--json", "--for", "x", "prog", "--json"), 0);
    assert_int_equal(read, 3);
    assert_string_equal(taken, "json=yes for=x ");
    assert_int_equal(READ(&read, "-", "--json"), 0);
    assert_int_equal(read, 0);
}

static void two_dashes_end_them_too_and_are_eaten(void **state)
{
    (void)state;
    size_t read = 0;
    assert_int_equal(READ(&read, "--json", "--", "--json"), 0);
    assert_int_equal(read, 2);
    assert_string_equal(taken, "json=yes ");
}

static void every_flag_can_be_said_no_to(void **state)
{
    (void)state;
    size_t read = 0;
    assert_int_equal(READ(&read, "--no-json", "--no-helper", "--stats"), 0);
    assert_string_equal(taken, "json=no helper=no stats=yes ");
}

static void every_flag_takes_the_words_for_yes_and_no(void **state)
{
    (void)state;
    size_t read = 0;
    assert_int_equal(READ(&read, "--json=no", "--json=on", "--helper=0"), 0);
    assert_string_equal(taken, "json=no json=yes helper=no ");
}

static void a_letter_means_its_option(void **state)
{
    (void)state;
    size_t read = 0;
    assert_int_equal(READ(&read, "-f", "x", "-fy", "-f=z", "-f", "-", "prog"), 0);
    assert_int_equal(read, 6);
    assert_string_equal(taken, "for=x for=y for==z for=- ");
}

static void settings_that_a_command_does_not_take_are_no_options_of_it(void **state)
{
    (void)state;
    const char *const without[] = {"direct_size", "stats", NULL};
    const struct option_table some = {rows, 2, true, without};
    assert_int_equal(option_count(some), option_count(table) - 2);
    for (size_t i = 0; i < option_count(some); i++) {
        assert_string_not_equal(option_at(some, i).name, "direct_size");
        assert_string_not_equal(option_at(some, i).name, "stats");
    }
    assert_string_equal(option_at(some, 2).name, "dirty_keep");
    size_t read = 0;
    char *words[] = {"--stats", NULL};
    assert_int_equal(options_read("try", some, words, take, NULL, &read), STATUS_USAGE);
}

static void settings_are_options_with_dashes(void **state)
{
    (void)state;
    size_t read = 0;
    assert_int_equal(READ(&read, "--dirty-keep=4M", "--purge-delay", "7"), 0);
    assert_string_equal(taken, "dirty_keep=4M purge_delay=7 ");
}

static void a_value_may_be_empty_or_hold_an_equals_sign(void **state)
{
    (void)state;
    size_t read = 0;
    assert_int_equal(READ(&read, "--for=", "--for=a=b"), 0);
    assert_string_equal(taken, "for= for=a=b ");
}

static void what_cannot_be_read_is_wrong_usage(void **state)
{
    (void)state;
    size_t read = 0;
    assert_int_equal(READ(&read, "--jsn"), STATUS_USAGE);
    assert_int_equal(READ(&read, "--json=maybe"), STATUS_USAGE);
    assert_int_equal(READ(&read, "--json="), STATUS_USAGE);
    assert_int_equal(READ(&read, "--no-json=yes"), STATUS_USAGE);
    assert_int_equal(READ(&read, "--for"), STATUS_USAGE);
    assert_int_equal(READ(&read, "--no-for"), STATUS_USAGE);
    assert_int_equal(READ(&read, "--no-"), STATUS_USAGE);
    assert_int_equal(READ(&read, "--="), STATUS_USAGE);
    assert_int_equal(READ(&read, "-j"), STATUS_USAGE);
    assert_int_equal(READ(&read, "-f"), STATUS_USAGE);
    assert_string_equal(taken, "");
}

static void a_refusal_ends_the_reading(void **state)
{
    (void)state;
    size_t read = 0;
    assert_int_equal(READ(&read, "--for=refuse", "--json"), 77);
    assert_string_equal(taken, "for=refuse ");
}

static void help_is_wanted_wherever_an_option_may_stand(void **state)
{
    (void)state;
    size_t read = 0;
    assert_int_equal(READ(&read, "--json", "--help"), OPTIONS_HELP_WANTED);
    assert_int_equal(READ(&read, "-h"), OPTIONS_HELP_WANTED);
    assert_int_equal(READ(&read, "word", "--help"), 0);
}

static void every_setting_is_an_option_and_shows_its_default(void **state)
{
    (void)state;
    assert_int_equal(option_count(table), 2 + SETTINGS_COUNT);
    for (size_t i = 0; i < option_count(table); i++) {
        const struct option option = option_at(table, i);
        const struct option_text text = option_text(&option);
        assert_null(strchr(text.call, '_'));
        assert_true(strlen(text.help) + 31 <= 100); // a line of help
        if (i >= 2) assert_non_null(strstr(text.help, "(default "));
    }
    const struct option size = option_at(table, 2);
    assert_string_equal(option_text(&size).call, "--direct-size=SIZE");
    assert_non_null(strstr(option_text(&size).help, "(default 32M)"));
    assert_string_equal(option_text(&rows[0]).call, "--[no-]json");
    assert_string_equal(option_text(&rows[1]).call, "-f, --for=FORM");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_end_at_the_first_word_that_is_none),
        cmocka_unit_test(two_dashes_end_them_too_and_are_eaten),
        cmocka_unit_test(every_flag_can_be_said_no_to),
        cmocka_unit_test(every_flag_takes_the_words_for_yes_and_no),
        cmocka_unit_test(a_letter_means_its_option),
        cmocka_unit_test(settings_that_a_command_does_not_take_are_no_options_of_it),
        cmocka_unit_test(settings_are_options_with_dashes),
        cmocka_unit_test(a_value_may_be_empty_or_hold_an_equals_sign),
        cmocka_unit_test(what_cannot_be_read_is_wrong_usage),
        cmocka_unit_test(a_refusal_ends_the_reading),
        cmocka_unit_test(help_is_wanted_wherever_an_option_may_stand),
        cmocka_unit_test(every_setting_is_an_option_and_shows_its_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
