// Protects: what the kernel says of the process is what libc says too.
#include "os/process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cmocka.h>

static void numbers_are_those_of_libc(void **state)
{
    (void)state;
    assert_int_equal(process_id(), getpid());
    assert_int_equal(process_parent_id(), getppid());
    assert_int_equal(process_thread_id(), gettid());
}

static void texts_are_those_of_libc(void **state)
{
    (void)state;
    char text[4096];
    char expected[4096] = {0};
    process_directory(text, sizeof text);
    assert_non_null(getcwd(expected, sizeof expected));
    assert_string_equal(text, expected);
    process_host(text, sizeof text);
    assert_int_equal(gethostname(expected, sizeof expected), 0);
    assert_string_equal(text, expected);
    process_program(text, sizeof text);
    assert_non_null(strstr(text, "test_os_process"));
}

static void texts_are_cut_to_their_place(void **state)
{
    (void)state;
    char text[4] = "xxx";
    process_program(text, sizeof text);
    assert_int_equal(strlen(text), 3);
    process_directory(text, sizeof text);
    assert_int_equal(strlen(text), 0); // the kernel gives all of it or nothing
    process_host(text, 2);
    assert_int_equal(strlen(text), 1);
}

// A test that was started by a link to it tells its name.
static void a_name_is_the_one_it_was_started_by(void **state)
{
    (void)state;
    char text[64];
    process_name(NULL, text, sizeof text);
    assert_string_equal(text, "test_os_process");
    process_name("/bin/sh", text, sizeof text); // another file
    assert_string_equal(text, "test_os_process");
    process_name(NULL, text, 5);
    assert_string_equal(text, "test");
}

static void a_thread_has_a_name(void **state)
{
    (void)state;
    char name[PROCESS_THREAD_NAME_SIZE];
    assert_int_equal(prctl(PR_SET_NAME, "fifteen letters", 0, 0, 0), 0);
    process_thread_name(name);
    assert_string_equal(name, "fifteen letters");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_those_of_libc),
        cmocka_unit_test(texts_are_those_of_libc),
        cmocka_unit_test(texts_are_cut_to_their_place),
        cmocka_unit_test(a_name_is_the_one_it_was_started_by),
        cmocka_unit_test(a_thread_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
