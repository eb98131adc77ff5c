#include "cli/recording_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *name(const char *pattern, unsigned number)
{
    static char path[64];
    const struct recording_name self = {
        .program = "prog",
        .host = "home",
        .pid = 77,
        .number = number,
    };
    assert_true(recording_name_write(&self, pattern, path, sizeof path));
    return path;
}

static void the_usual_name_is_program_and_pid(void **state)
{
    (void)state;
    assert_string_equal(name(RECORDING_NAME_DEFAULT, 1), "prog.77.mete");
    assert_string_equal(name(RECORDING_NAME_DEFAULT, 2), "prog.77.2.mete");
    assert_string_equal(name("%h/%n-%p%%", 1), "home/prog-77%");
}

static void a_number_stands_before_our_ending_or_at_the_end(void **state)
{
    (void)state;
    assert_string_equal(name("out.mete", 12), "out.12.mete");
    assert_string_equal(name("out", 2), "out.2");
    assert_string_equal(name("out.dat", 2), "out.dat.2");
    assert_string_equal(name("%n.%p", 2), "prog.77.2");
    assert_string_equal(name(".mete", 2), ".mete.2");
    assert_string_equal(name("a/.mete", 2), "a/.mete.2");
}

static void a_folder_gets_the_usual_names(void **state)
{
    (void)state;
    assert_string_equal(name("a/b/", 1), "a/b/prog.77.mete");
    assert_string_equal(name("a/b/", 3), "a/b/prog.77.3.mete");
}

static void what_does_not_fit_is_said(void **state)
{
    (void)state;
    const struct recording_name self = {"prog", "home", 77, 3};
    char path[16];
    assert_true(recording_name_write(&self, "a.mete", path, 9));
    assert_string_equal(path, "a.3.mete");
    for (size_t size = 1; size < 9; size++) {
        assert_false(recording_name_write(&self, "a.mete", path, size));
    }
    assert_false(recording_name_write(&self, "a/", path, 14));
    assert_false(recording_name_write(&self, "a/", path, 16));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_usual_name_is_program_and_pid),
        cmocka_unit_test(a_number_stands_before_our_ending_or_at_the_end),
        cmocka_unit_test(a_folder_gets_the_usual_names),
        cmocka_unit_test(what_does_not_fit_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
