#include "cli/recordings.h"

#include "record/tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void names_of_recordings_are_told_from_others(void **state)
{
    (void)state;
    pid_t pid = 0;
    unsigned image = 0;
    assert_true(recording_parse_name("77.1.mete", &pid, &image));
    assert_int_equal(pid, 77);
    assert_int_equal(image, 1);
    assert_true(recording_parse_name("4194304.12.mete", &pid, &image));
    assert_int_equal(pid, 4194304);
    assert_int_equal(image, 12);
    const char *others[] = {
        "",           ".",         "77.mete",     "77.1.met",          "77.1.mete2",
        "077.1.mete", "77.0.mete", "-7.1.mete",   "7 .1.mete",         "99999999999.1.mete",
        "a.1.mete",   "77..mete",  "77.1.2.mete", "4294967295.1.mete",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_false(recording_parse_name(others[i], &pid, &image));
    }
}

static struct recording item(pid_t pid, unsigned image, const char *program, uint64_t peak,
                             uint32_t state)
{
    struct recording made = {.pid = pid, .image = image};
    made.facts = (struct recording_facts){
        .is_recording = true,
        .has_process = true,
        .state = state,
        .peak_bytes = peak,
    };
    strcpy(made.facts.program, program);
    return made;
}

static void the_last_image_of_the_command_is_the_main_program(void **state)
{
    (void)state;
    struct recording items[] = {
        item(7, 1, "child", 900, RECORD_ENDED),
        item(8, 1, "sh", 10, RECORD_EXECED),
        item(8, 2, "prog", 20, RECORD_ENDED),
        item(9, 1, "child", 800, RECORD_ENDED),
    };
    const struct recordings recordings = {items, 4};
    assert_int_equal(recordings_main(&recordings, 8), 2);
    assert_false(recordings_end_in_exec(&recordings, 1)); // another came after it
    assert_false(recordings_end_in_exec(&recordings, 2));
}

static void what_only_starts_others_is_not_the_main_program(void **state)
{
    (void)state;
    struct recording items[] = {
        item(8, 1, "dash", 10, RECORD_ENDED),
        item(9, 1, "small", 20, RECORD_ENDED),
        item(10, 1, "large", 30, RECORD_ENDED),
        item(11, 1, "small", 30, RECORD_ENDED),
    };
    struct recordings recordings = {items, 4};
    assert_int_equal(recordings_main(&recordings, 8), 2);
    // Unless it is the largest itself, or the only one.
    items[0].facts.peak_bytes = 31;
    assert_int_equal(recordings_main(&recordings, 8), 0);
    recordings.count = 1;
    assert_int_equal(recordings_main(&recordings, 8), 0);
}

// Compilers' drivers, and whoever else only starts others.
static void who_only_waited_is_not_the_main_program(void **state)
{
    (void)state;
    struct recording items[] = {
        item(8, 1, "driver", 100, RECORD_ENDED),
        item(9, 1, "compiler", 900, RECORD_ENDED),
        item(10, 1, "assembler", 500, RECORD_ENDED),
    };
    const struct recordings recordings = {items, 3};
    items[0].facts.allocations = 10;
    items[1].facts.allocations = 90;
    assert_int_equal(recordings_main(&recordings, 8), 1);
    assert_int_equal(recordings_own(&recordings, 8), 0);
    // Who holds as much, or allocates as often, did more than that.
    items[0].facts.peak_bytes = 200;
    assert_int_equal(recordings_main(&recordings, 8), 0);
    items[0].facts.peak_bytes = 100;
    items[0].facts.allocations = 20;
    assert_int_equal(recordings_main(&recordings, 8), 0);
}

static void without_one_of_the_command_the_largest_is_the_main_program(void **state)
{
    (void)state;
    struct recording items[] = {
        item(9, 1, "small", 0, RECORD_ENDED),
        item(10, 1, "large", 30, RECORD_ENDED),
    };
    const struct recordings recordings = {items, 2};
    assert_int_equal(recordings_main(&recordings, 8), 1);
    const struct recordings none = {NULL, 0};
    assert_int_equal(recordings_main(&none, 8), 0);
}

// What nobody can read counts for nothing: it is a fork of one that is there.
static void a_mere_fork_is_not_the_main_program(void **state)
{
    (void)state;
    char gone[] = "/nonexistent/9.1.mete";
    struct recording items[] = {
        item(8, 1, "dash", 100, RECORD_ENDED),
        item(9, 1, "dash", 110, RECORD_EXECED),
        item(10, 1, "tool", 10, RECORD_ENDED),
    };
    items[1].path = gone;
    items[1].facts.inherits_from_pid = 8;
    struct recordings recordings = {items, 3};
    assert_int_equal(recordings_main(&recordings, 8), 0);
    items[2].facts.peak_bytes = 101;
    assert_int_equal(recordings_main(&recordings, 8), 2);
    // Unless it is the only one.
    recordings.items = items + 1;
    recordings.count = 1;
    assert_int_equal(recordings_main(&recordings, 8), 0);
}

static void an_exec_without_a_recording_after_it_shows(void **state)
{
    (void)state;
    struct recording items[] = {
        item(8, 1, "sh", 0, RECORD_EXECED),
        item(9, 1, "other", 0, RECORD_ENDED),
    };
    const struct recordings recordings = {items, 2};
    assert_true(recordings_end_in_exec(&recordings, 0));
    assert_false(recordings_end_in_exec(&recordings, 1));
    items[0].facts.has_process = false;
    assert_false(recordings_end_in_exec(&recordings, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_recordings_are_told_from_others),
        cmocka_unit_test(the_last_image_of_the_command_is_the_main_program),
        cmocka_unit_test(what_only_starts_others_is_not_the_main_program),
        cmocka_unit_test(who_only_waited_is_not_the_main_program),
        cmocka_unit_test(without_one_of_the_command_the_largest_is_the_main_program),
        cmocka_unit_test(a_mere_fork_is_not_the_main_program),
        cmocka_unit_test(an_exec_without_a_recording_after_it_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
