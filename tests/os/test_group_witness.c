// Protects: what is sent to us alone is told from what our whole process group gets, again and
// again; and the witness ends when it is told to, or with us.
#include "os/group_witness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct group_witness witness;

static void take(int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    assert_int_equal(sigwaitinfo(&set, NULL), number);
}

static int begin(void **state)
{
    (void)state;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    group_witness_begin(&witness);
    return witness.pid > 0 ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    group_witness_end(&witness);
    return 0;
}

static void what_comes_to_the_group_is_seen(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        kill(0, SIGTERM);
        take(SIGTERM);
        assert_true(group_witness_saw(&witness, SIGTERM));
        kill(0, SIGUSR1);
        take(SIGUSR1);
        assert_false(group_witness_saw(&witness, SIGTERM));
        assert_true(group_witness_saw(&witness, SIGUSR1));
    }
}

static void what_comes_to_us_is_not(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        kill(getpid(), SIGTERM);
        take(SIGTERM);
        assert_false(group_witness_saw(&witness, SIGTERM));
    }
}

// While one is replaced, others may come.
static void what_has_not_been_asked_for_yet_is_not_forgotten(void **state)
{
    (void)state;
    kill(0, SIGTERM);
    kill(0, SIGUSR1);
    take(SIGTERM);
    assert_true(group_witness_saw(&witness, SIGTERM));
    take(SIGUSR1);
    assert_true(group_witness_saw(&witness, SIGUSR1));
    kill(getpid(), SIGUSR1);
    take(SIGUSR1);
    assert_false(group_witness_saw(&witness, SIGUSR1));
}

static void none_has_seen_nothing(void **state)
{
    (void)state;
    struct group_witness none = {.program = -1};
    assert_false(group_witness_saw(&none, SIGTERM));
    group_witness_end(&none);
}

static void it_ends_when_it_is_told(void **state)
{
    (void)state;
    const pid_t pid = witness.pid;
    group_witness_end(&witness);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(waitpid(-1, NULL, 0), -1); // nothing is left of it
    assert_int_equal(errno, ECHILD);
    group_witness_begin(&witness);
}

static void read_of_witness(const char *file, char *text, size_t size)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)witness.pid, file);
    FILE *opened = fopen(path, "r");
    assert_non_null(opened);
    text[fread(text, 1, size - 1, opened)] = '\0';
    (void)fclose(opened);
}

// By whatever of us somebody looks for it.
static void it_is_not_found_by_our_name(void **state)
{
    (void)state;
    char text[256] = "";
    // It has our memory no more, but the kernel may still be giving it its words.
    for (int i = 0; i < 1000 && !strstr(text, "[group witness]"); i++) {
        (void)usleep(1000);
        read_of_witness("cmdline", text, sizeof text);
    }
    assert_string_equal(text, "[group witness]");
    read_of_witness("comm", text, sizeof text);
    assert_null(strstr(text, "test"));
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/exe", (int)witness.pid);
    const ssize_t length = readlink(path, text, sizeof text - 1);
    assert_true(length > 0);
    text[length] = '\0';
    assert_null(strstr(text, "test_os"));
}

static void what_came_before_a_stop_is_over(void **state)
{
    (void)state;
    kill(0, SIGTERM);
    take(SIGTERM);
    group_witness_renew(&witness);
    assert_false(group_witness_saw(&witness, SIGTERM));
}

static void it_ends_with_us(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        struct group_witness its = {0};
        group_witness_begin(&its);
        (void)!write(ends[1], &its.pid, sizeof its.pid);
        raise(SIGKILL);
    }
    pid_t pid = 0;
    assert_int_equal(read(ends[0], &pid, sizeof pid), sizeof pid);
    assert_true(pid > 0);
    // It has the pipe open too.
    close(ends[1]);
    assert_int_equal(read(ends[0], &pid, sizeof pid), 0);
    close(ends[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

int main(void)
{
    (void)setpgid(0, 0); // nobody else's is meant
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_to_the_group_is_seen),
        cmocka_unit_test(what_comes_to_us_is_not),
        cmocka_unit_test(what_has_not_been_asked_for_yet_is_not_forgotten),
        cmocka_unit_test(none_has_seen_nothing),
        cmocka_unit_test(it_ends_when_it_is_told),
        cmocka_unit_test(it_is_not_found_by_our_name),
        cmocka_unit_test(what_came_before_a_stop_is_over),
        cmocka_unit_test(it_ends_with_us),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
