// Protects: the wording of a panic, that it is one line on fd 2, and that the process is aborted.
#include "base/panic.h"

#include "dying.h"

#include <errno.h>

static void panic_at_address(void *reason)
{
    panic("free", (void *)0x7f0123456780, reason);
}

static void panic_at_null(void *reason)
{
    panic("realloc", NULL, reason);
}

static void panic_without_address(void *reason)
{
    panic_plain(reason);
}

static void a_panic_names_the_call_the_pointer_and_the_reason(void **state)
{
    (void)state;
    expect_last_words(panic_at_address, "double free", "mete: free(0x7f0123456780): double free\n");
    expect_last_words(panic_at_null, "not a block", "mete: realloc(0x0): not a block\n");
    expect_last_words(panic_without_address, "no hope", "mete: no hope\n");
}

static void a_reason_too_long_is_cut_and_the_line_still_ends(void **state)
{
    (void)state;
    char reason[600];
    memset(reason, 'x', sizeof reason - 1);
    reason[sizeof reason - 1] = '\0';
    void (*const acts[])(void *) = {panic_at_address, panic_without_address};
    for (size_t i = 0; i < 2; i++) {
        struct death death = death_of(acts[i], reason);
        size_t len = strlen(death.words);
        assert_true(len > 200 && len < 256);
        assert_int_equal(death.words[len - 1], '\n');
        assert_int_equal(death.words[len - 2], 'x');
        assert_ptr_equal(strchr(death.words, '\n'), death.words + len - 1);
    }
}

static void panic_without_listener(void *reason)
{
    close(STDERR_FILENO);
    panic_plain(reason);
}

static void nobody_listening_does_not_stop_the_abort(void **state)
{
    (void)state;
    expect_last_words(panic_without_listener, "unheard", "");
}

enum { CHECK_LINE = __LINE__ + 3 };
static void check_truth(void *truth)
{
    CHECK(*(int *)truth == 1);
}

enum { ASSERT_LINE = __LINE__ + 3 };
static void assert_truth(void *truth)
{
    ASSERT(*(int *)truth == 1);
}

static void a_check_that_holds_says_nothing_and_one_that_does_not_says_where(void **state)
{
    (void)state;
    char line[256];
    struct death death = death_of(check_truth, &(int){1});
    assert_int_equal(death.status, 0);
    assert_string_equal(death.words, "");
    (void)snprintf(line, sizeof line, "mete: heap corrupted: *(int *)truth == 1 at %s:%d\n",
                   __FILE__, CHECK_LINE);
    expect_last_words(check_truth, &(int){2}, line);
}

static void an_assertion_is_on_in_debug_builds_only(void **state)
{
    (void)state;
    char line[256];
    assert_int_equal(death_of(assert_truth, &(int){1}).status, 0);
    (void)snprintf(line, sizeof line, "mete: assertion failed: *(int *)truth == 1 at %s:%d\n",
                   __FILE__, ASSERT_LINE);
    if (METE_DEBUG) {
        expect_last_words(assert_truth, &(int){2}, line);
    } else {
        assert_int_equal(death_of(assert_truth, &(int){2}).status, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_panic_names_the_call_the_pointer_and_the_reason),
        cmocka_unit_test(a_reason_too_long_is_cut_and_the_line_still_ends),
        cmocka_unit_test(nobody_listening_does_not_stop_the_abort),
        cmocka_unit_test(a_check_that_holds_says_nothing_and_one_that_does_not_says_where),
        cmocka_unit_test(an_assertion_is_on_in_debug_builds_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
