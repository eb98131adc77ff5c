#include "base/settings.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

// What settings_parse complained of, one line after the other.
struct complaints {
    size_t count;
    char text[1024];
};

static void complain(void *context, const struct settings_problem *problem)
{
    struct complaints *self = context;
    char line[SETTINGS_PROBLEM_SIZE];
    size_t len = settings_problem_text(problem, line);
    assert_int_equal(len, strlen(line));
    assert_true(len < SETTINGS_PROBLEM_SIZE);
    assert_int_equal(line[len - 1], '\n');
    self->count++;
    if (strlen(self->text) + len < sizeof self->text) strcat(self->text, line);
}

static struct settings parse(const char *text, struct complaints *complaints)
{
    struct settings settings;
    settings_init(&settings);
    *complaints = (struct complaints){0};
    settings_parse(&settings, text, complain, complaints);
    return settings;
}

static struct settings parse_well(const char *text)
{
    struct complaints complaints;
    struct settings settings = parse(text, &complaints);
    assert_string_equal(complaints.text, "");
    return settings;
}

static const char *complaint_about(const char *text)
{
    static struct complaints complaints;
    struct settings before;
    settings_init(&before);
    struct settings after = parse(text, &complaints);
    assert_int_equal(complaints.count, 1);
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        assert_int_equal(settings_value(&after, &settings_table[i]),
                         settings_value(&before, &settings_table[i]));
    }
    assert_string_equal(after.recording, before.recording);
    return complaints.text;
}

static void every_row_can_be_found_and_its_default_is_within_its_limits(void **state)
{
    (void)state;
    struct settings settings;
    settings_init(&settings);
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        const struct setting *row = &settings_table[i];
        assert_ptr_equal(settings_find(row->key, strlen(row->key)), row);
        assert_true(row->min <= row->value_default && row->value_default <= row->max);
        assert_int_equal(settings_value(&settings, row), row->value_default);
        assert_true(strlen(row->help) > 0);
    }
    assert_null(settings_find("direct", 6));
    assert_null(settings_find("", 0));
}

static void nothing_said_leaves_the_defaults(void **state)
{
    (void)state;
    struct settings settings = parse_well("");
    assert_int_equal(settings.direct_size, 32 << 20);
    assert_int_equal(settings.dirty_keep, 1 << 20);
    assert_int_equal(settings.purge_delay_ms, 300);
    assert_int_equal(settings.perturb, 0);
    assert_true(settings.helper);
    assert_false(settings.stats);
    assert_false(settings.observe);
    assert_true(settings.arguments);
    assert_string_equal(settings.recording, "");
}

static void every_key_reaches_its_field(void **state)
{
    (void)state;
    struct settings settings = parse_well("direct_size=1M,dirty_keep=2G,purge_delay=5,"
                                          "helper=no,perturb=255,stats=yes,observe=yes,"
                                          "arguments=no,recording=/run/%p.%i.mete");
    assert_int_equal(settings.direct_size, 1 << 20);
    assert_int_equal(settings.dirty_keep, (size_t)2 << 30);
    assert_int_equal(settings.purge_delay_ms, 5);
    assert_false(settings.helper);
    assert_int_equal(settings.perturb, 255);
    assert_true(settings.stats);
    assert_true(settings.observe);
    assert_false(settings.arguments);
    assert_string_equal(settings.recording, "/run/%p.%i.mete");
    assert_string_equal(settings_text(&settings, settings_find("recording", 9)), "/run/%p.%i.mete");
}

static void texts_stand_encoded(void **state)
{
    (void)state;
    assert_string_equal(parse_well("recording=").recording, "");
    assert_string_equal(parse_well("recording=a%2cb%20c%25%2C").recording, "a,b c%,");
    assert_string_equal(parse_well("recording=%,stats=1").recording, "%");
    assert_string_equal(parse_well("recording=%2").recording, "%2");
    assert_string_equal(parse_well("recording=%%41%g1").recording, "%A%g1");
    assert_string_equal(parse_well("recording=a=b=c").recording, "a=b=c");
    assert_string_equal(parse_well("recording=long,recording=s").recording, "s");
    assert_string_equal(complaint_about("recording=a%00b"),
                        "mete: METE: 'recording=a%00b' holds a zero byte; ignored\n");
}

static void assert_survives(const char *text)
{
    char encoded[SETTINGS_ENCODED_SIZE];
    assert_true(settings_encode(text, encoded));
    for (const char *at = encoded; *at; at++) {
        assert_true(*at > ' ' && *at <= '~' && *at != ',');
    }
    char whole[SETTINGS_ENCODED_SIZE + 16];
    (void)snprintf(whole, sizeof whole, "recording=%s", encoded);
    assert_string_equal(parse_well(whole).recording, text);
}

static void any_text_survives_its_encoding(void **state)
{
    (void)state;
    const char *texts[] = {"",       "/run/%p.%i.mete", "a,b", "%2C", "%%2C", "%,",
                           "%\0011", "\n \t\x7f\xff",   "%2",  "%",   "%25",  "%%%25%%2%,%"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) assert_survives(texts[i]);
    for (int byte = 1; byte < 256; byte++) {
        assert_survives((char[]){(char)byte, '%', (char)byte, '4', '1', '\0'});
    }
}

static void a_text_has_a_limit_that_encoding_does_not_shrink(void **state)
{
    (void)state;
    char text[SETTINGS_TEXT_SIZE + 1];
    memset(text, ',', sizeof text);
    text[SETTINGS_TEXT_SIZE - 1] = '\0';
    assert_survives(text);
    text[SETTINGS_TEXT_SIZE - 1] = ',';
    text[SETTINGS_TEXT_SIZE] = '\0';
    char encoded[SETTINGS_ENCODED_SIZE];
    assert_false(settings_encode(text, encoded));
    char whole[SETTINGS_TEXT_SIZE + 16] = "recording=";
    memset(whole + 10, 'x', SETTINGS_TEXT_SIZE);
    whole[10 + SETTINGS_TEXT_SIZE] = '\0';
    assert_non_null(strstr(complaint_about(whole), "is too long; ignored"));
}

static void sizes_take_units_that_are_powers_of_1024(void **state)
{
    (void)state;
    assert_int_equal(parse_well("dirty_keep=0").dirty_keep, 0);
    assert_int_equal(parse_well("dirty_keep=123").dirty_keep, 123);
    assert_int_equal(parse_well("dirty_keep=64K").dirty_keep, 65536);
    assert_int_equal(parse_well("dirty_keep=64k").dirty_keep, 65536);
    assert_int_equal(parse_well("dirty_keep=3m").dirty_keep, 3 << 20);
    assert_int_equal(parse_well("dirty_keep=1024g").dirty_keep, (size_t)1 << 40);
    assert_int_equal(parse_well("dirty_keep=000000000000000000000000000008").dirty_keep, 8);
}

static void booleans_take_the_usual_words(void **state)
{
    (void)state;
    assert_true(parse_well("stats=on").stats);
    assert_true(parse_well("stats=true").stats);
    assert_true(parse_well("stats=1").stats);
    assert_false(parse_well("helper=off").helper);
    assert_false(parse_well("helper=false").helper);
    assert_false(parse_well("helper=0").helper);
}

static void the_last_of_two_equal_keys_wins_and_empty_parts_are_skipped(void **state)
{
    (void)state;
    assert_int_equal(parse_well(",,perturb=1,,perturb=2,").perturb, 2);
    assert_int_equal(parse_well(",").perturb, 0);
}

static void what_cannot_be_read_is_told_once_and_changes_nothing(void **state)
{
    (void)state;
    assert_string_equal(complaint_about("colour=red"),
                        "mete: METE: 'colour=red' is no setting; ignored\n");
    assert_string_equal(complaint_about("=1"), "mete: METE: '=1' is no setting; ignored\n");
    assert_string_equal(complaint_about("stats"),
                        "mete: METE: 'stats' wants a value: key=value; ignored\n");
    assert_string_equal(complaint_about("stats=maybe"),
                        "mete: METE: 'stats=maybe' wants yes or no; ignored\n");
    assert_string_equal(complaint_about("dirty_keep=4T"),
                        "mete: METE: 'dirty_keep=4T' wants a size, such as 65536, 64K, 4M or 1G; "
                        "ignored\n");
    assert_string_equal(complaint_about("purge_delay=1K"),
                        "mete: METE: 'purge_delay=1K' wants a number of milliseconds; ignored\n");
    assert_string_equal(complaint_about("perturb=-1"),
                        "mete: METE: 'perturb=-1' wants a number; ignored\n");
    assert_string_equal(complaint_about("perturb=256"),
                        "mete: METE: 'perturb=256' is too large; ignored\n");
    assert_string_equal(complaint_about("direct_size=1"),
                        "mete: METE: 'direct_size=1' is too small; ignored\n");
    (void)complaint_about("dirty_keep=");
    (void)complaint_about("dirty_keep=M");
    (void)complaint_about("dirty_keep= 4");
    (void)complaint_about("dirty_keep=0x10");
    (void)complaint_about("dirty_keep=4=4");
    (void)complaint_about(" stats=yes");
}

static void values_past_the_size_of_a_word_are_too_large(void **state)
{
    (void)state;
    const char *texts[] = {
        "dirty_keep=18446744073709551616",
        "dirty_keep=99999999999999999999999999999999999999",
        "dirty_keep=18014398509481984K",
        "dirty_keep=18446744073709551615G",
    };
    for (size_t i = 0; i < 4; i++) assert_non_null(strstr(complaint_about(texts[i]), "too large"));
}

static void one_bad_part_does_not_spoil_its_neighbours(void **state)
{
    (void)state;
    struct complaints complaints;
    struct settings settings = parse("perturb=7,colour=red,stats=yes,helper=perhaps", &complaints);
    assert_int_equal(complaints.count, 2);
    assert_int_equal(settings.perturb, 7);
    assert_true(settings.stats);
    assert_true(settings.helper);
}

static void a_problem_is_one_line_whatever_the_text(void **state)
{
    (void)state;
    char text[4096];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    const char *line = complaint_about(text);
    assert_true(strlen(line) < SETTINGS_PROBLEM_SIZE);
    assert_non_null(strstr(line, "xxx...' is no setting"));
    assert_string_equal(complaint_about("a\nb\033[31m\xff"),
                        "mete: METE: 'a?b?[31m?' is no setting; ignored\n");
}

static void errno_is_left_alone_and_no_report_is_needed(void **state)
{
    (void)state;
    struct settings settings;
    settings_init(&settings);
    errno = 77;
    settings_parse(&settings, "dirty_keep=99999999999999999999,helper=,x", NULL, NULL);
    assert_int_equal(errno, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_can_be_found_and_its_default_is_within_its_limits),
        cmocka_unit_test(nothing_said_leaves_the_defaults),
        cmocka_unit_test(every_key_reaches_its_field),
        cmocka_unit_test(texts_stand_encoded),
        cmocka_unit_test(any_text_survives_its_encoding),
        cmocka_unit_test(a_text_has_a_limit_that_encoding_does_not_shrink),
        cmocka_unit_test(sizes_take_units_that_are_powers_of_1024),
        cmocka_unit_test(booleans_take_the_usual_words),
        cmocka_unit_test(the_last_of_two_equal_keys_wins_and_empty_parts_are_skipped),
        cmocka_unit_test(what_cannot_be_read_is_told_once_and_changes_nothing),
        cmocka_unit_test(values_past_the_size_of_a_word_are_too_large),
        cmocka_unit_test(one_bad_part_does_not_spoil_its_neighbours),
        cmocka_unit_test(a_problem_is_one_line_whatever_the_text),
        cmocka_unit_test(errno_is_left_alone_and_no_report_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
