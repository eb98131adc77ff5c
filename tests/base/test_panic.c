// Protects: the wording of a panic, that it is one line on fd 2, and that the process is aborted.
#include "base/panic.h"

#include "dying.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/time.h>

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

static void *cancelled(void *reason)
{
    (void)pthread_cancel(pthread_self()); // from now on every cancellation point ends the thread
    panic_plain(reason);
}

static void panic_in_a_cancelled_thread(void *reason)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, cancelled, reason) == 0) (void)pthread_join(thread, NULL);
}

static void a_thread_that_is_to_be_cancelled_ends_the_process_all_the_same(void **state)
{
    (void)state;
    expect_last_words(panic_in_a_cancelled_thread, "no way out", "mete: no way out\n");
}

// Fills a pipe and gives its other end to a child, which begins to read after a while and passes on
// to fd 2 what comes behind the filling. The end to write to.
static int slow_listener(void)
{
    int ends[2];
    size_t fill_size = 0;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    while (write(ends[1], "", 1) == 1) fill_size++;
    assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
    if (fork() != 0) return ends[1];
    close(ends[1]);
    usleep(300000); // some signals long
    char byte;
    for (size_t i = 0; read(ends[0], &byte, 1) == 1; i++) {
        if (i >= fill_size) (void)!write(STDERR_FILENO, &byte, 1);
    }
    _exit(0);
}

static void ignore(int signal)
{
    (void)signal;
}

static void panic_to_a_slow_listener(void *reason)
{
    assert_true(dup2(slow_listener(), STDERR_FILENO) >= 0);
    const struct sigaction action = {.sa_handler = ignore}; // no SA_RESTART
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    const struct itimerval often = {.it_interval.tv_usec = 50000, .it_value.tv_usec = 50000};
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    panic_plain(reason);
}

static void a_signal_while_the_listener_is_slow_does_not_cost_the_line(void **state)
{
    (void)state;
    expect_last_words(panic_to_a_slow_listener, "patience", "mete: patience\n");
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
        cmocka_unit_test(a_thread_that_is_to_be_cancelled_ends_the_process_all_the_same),
        cmocka_unit_test(a_signal_while_the_listener_is_slow_does_not_cost_the_line),
        cmocka_unit_test(a_check_that_holds_says_nothing_and_one_that_does_not_says_where),
        cmocka_unit_test(an_assertion_is_on_in_debug_builds_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
