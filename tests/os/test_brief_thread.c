// Protects: the brief thread does its work beside us, one at a time, with every signal blocked, and
// is gone after it. Not built with sanitizers: their code in it would look for thread-local
// storage.
#include "os/thread.h"

#include "os/clock.h"
#include "os/syscall.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

// What the brief thread writes down. It must not use libc: it has no thread-local storage.
static struct {
    atomic_int runs;
    atomic_bool may_end;
    atomic_long tid;
    _Atomic uint64_t blocked;
} seen;

static void look_around(void)
{
    uint64_t blocked = 0;
    (void)syscall_4(SYS_rt_sigprocmask, SIG_BLOCK, 0, (long)&blocked, sizeof blocked);
    seen.blocked = blocked;
    seen.tid = syscall_2(SYS_gettid, 0, 0);
    seen.runs++;
    while (!seen.may_end) clock_sleep_ms(1);
}

static void expect_runs(int runs)
{
    for (int i = 0; i < 10000 && seen.runs < runs; i++) clock_sleep_ms(1);
    assert_int_equal(seen.runs, runs);
}

static bool thread_exists(long tid)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/task/%ld", tid);
    return access(path, F_OK) == 0;
}

static void the_brief_thread_works_beside_us_with_signals_blocked(void **state)
{
    (void)state;
    sigset_t before;
    sigset_t after;
    seen.runs = 0;
    seen.may_end = false;
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    assert_true(thread_run_brief(look_around));
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    assert_memory_equal(&before, &after, sizeof(uint64_t)); // ours are as they were
    expect_runs(1);
    assert_int_not_equal(seen.tid, gettid());
    assert_true(thread_exists(seen.tid));
    uint64_t never = (UINT64_C(1) << (SIGKILL - 1)) | (UINT64_C(1) << (SIGSTOP - 1));
    assert_int_equal(seen.blocked, ~never);
    assert_false(thread_run_brief(look_around)); // there is one already
    seen.may_end = true;
}

static void when_it_has_ended_another_may_begin(void **state)
{
    (void)state;
    seen.runs = 0;
    seen.may_end = true;
    for (int i = 1; i <= 50; i++) {
        int tries = 0;
        while (!thread_run_brief(look_around)) {
            assert_true(++tries < 10000);
            clock_sleep_ms(1);
        }
        expect_runs(i);
    }
    for (int i = 0; i < 10000 && thread_exists(seen.tid); i++) clock_sleep_ms(1);
    assert_false(thread_exists(seen.tid));
}

static void a_forked_child_knows_that_its_brief_thread_is_gone(void **state)
{
    (void)state;
    seen.runs = 0;
    seen.may_end = false;
    while (!thread_run_brief(look_around)) clock_sleep_ms(1);
    expect_runs(1);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        thread_forget_brief();
        seen.may_end = true;
        if (!thread_run_brief(look_around)) _exit(1);
        for (int i = 0; i < 10000 && seen.runs < 2; i++) clock_sleep_ms(1);
        _exit(seen.runs == 2 ? 0 : 2);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    seen.may_end = true;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_brief_thread_works_beside_us_with_signals_blocked),
        cmocka_unit_test(when_it_has_ended_another_may_begin),
        cmocka_unit_test(a_forked_child_knows_that_its_brief_thread_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
