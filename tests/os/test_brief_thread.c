// Protects: the brief thread does its work beside us, one at a time, with every signal blocked, and
// is gone after it. Not built with sanitizers: their code in it would look for thread-local
// storage.
#include "os/brief_thread.h"

#include "os/clock.h"
#include "os/syscall.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
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

static size_t task_count(void)
{
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(tasks));) count += entry->d_name[0] != '.';
    closedir(tasks);
    return count;
}

static void the_brief_thread_works_beside_us_with_signals_blocked(void **state)
{
    (void)state;
    sigset_t before;
    sigset_t after;
    seen.runs = 0;
    seen.may_end = false;
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    assert_true(brief_thread_run(look_around));
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    assert_memory_equal(&before, &after, sizeof(uint64_t)); // ours are as they were
    expect_runs(1);
    assert_int_not_equal(seen.tid, gettid());
    assert_true(thread_exists(seen.tid));
    uint64_t never = (UINT64_C(1) << (SIGKILL - 1)) | (UINT64_C(1) << (SIGSTOP - 1));
    assert_int_equal(seen.blocked, ~never);
    assert_false(brief_thread_run(look_around)); // there is one already
    seen.may_end = true;
}

static void when_it_has_ended_another_may_begin(void **state)
{
    (void)state;
    seen.runs = 0;
    seen.may_end = true;
    for (int i = 1; i <= 50; i++) {
        int tries = 0;
        while (!brief_thread_run(look_around)) {
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
    while (!brief_thread_run(look_around)) clock_sleep_ms(1);
    expect_runs(1);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        brief_thread_forget();
        seen.may_end = true;
        if (!brief_thread_run(look_around)) _exit(1);
        for (int i = 0; i < 10000 && seen.runs < 2; i++) clock_sleep_ms(1);
        _exit(seen.runs == 2 ? 0 : 2);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    seen.may_end = true;
}

static atomic_int ended_early;

static void sleep_long(void)
{
    seen.runs++;
    brief_thread_sleep_ms(60000);
    if (brief_thread_must_end()) ended_early++;
}

static void start(void (*work)(void))
{
    seen.runs = 0;
    while (!brief_thread_run(work)) clock_sleep_ms(1);
    expect_runs(1);
}

static void one_that_sleeps_ends_when_asked_and_is_gone_then(void **state)
{
    (void)state;
    ended_early = 0;
    for (int i = 0; i < 50; i++) {
        start(sleep_long);
        assert_true(brief_thread_is_running());
        assert_true(brief_thread_end());
        assert_false(brief_thread_is_running());
        assert_int_equal(task_count(), 1);
    }
    assert_int_equal(ended_early, 50);
    assert_true(brief_thread_end()); // nobody there
}

static struct lock lock;

static void take_the_lock(void)
{
    seen.runs++;
    brief_thread_take(&lock);
    seen.runs++;
    lock_give(&lock);
}

static void one_that_waits_for_a_held_lock_is_left_alone(void **state)
{
    (void)state;
    lock_take(&lock);
    start(take_the_lock);
    assert_false(brief_thread_end()); // it would never come to its end
    assert_true(brief_thread_is_running());
    assert_int_equal(seen.runs, 1);
    lock_give(&lock);
    expect_runs(2);
    assert_true(brief_thread_end());
    lock_take(&lock); // given back
    lock_give(&lock);
}

static void look_who_it_is(void)
{
    if (brief_thread_is_me()) seen.runs++;
}

static void it_knows_itself(void **state)
{
    (void)state;
    start(look_who_it_is);
    assert_true(brief_thread_end());
    assert_false(brief_thread_is_me());
}

// No handlers run there, and none need.
static void a_child_made_without_handlers_knows_too(void **state)
{
    (void)state;
    ended_early = 0;
    start(sleep_long);
    pid_t child = _Fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (brief_thread_is_running()) _exit(1);
        seen.runs = 0;
        if (brief_thread_run(sleep_long)) _exit(4); // it might be a vforked one
        brief_thread_forget();
        if (!brief_thread_run(sleep_long)) _exit(2);
        for (int i = 0; i < 10000 && seen.runs < 1; i++) clock_sleep_ms(1);
        _exit(brief_thread_end() && ended_early == 1 ? 0 : 3);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(brief_thread_is_running());
    assert_true(brief_thread_end());
}

static int in_vforked_child(void *result)
{
    *(bool *)result = brief_thread_run(look_who_it_is);
    return 0;
}

// Its threads would end with it, in the midst of what they do to memory that is ours too.
static void a_vforked_child_makes_none(void **state)
{
    (void)state;
    static char stack[64 * 1024] __attribute__((aligned(16)));
    bool made = true;
    int child =
        clone(in_vforked_child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &made);
    assert_true(child > 0);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_false(made);
    start(look_who_it_is); // we still do
    assert_true(brief_thread_end());
}

// Lets all calls through but one, and dies of that.
static bool enter_sandbox_without_clone(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = 4, .filter = filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void none_comes_while_held_off(void **state)
{
    (void)state;
    brief_thread_hold_off();
    brief_thread_hold_off();
    assert_false(brief_thread_run(look_who_it_is));
    brief_thread_let_come();
    assert_false(brief_thread_run(look_who_it_is));
    brief_thread_let_come();
    start(look_who_it_is);
    assert_true(brief_thread_end());
}

static void a_process_that_locked_itself_up_makes_none(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        brief_thread_forget();
        if (!enter_sandbox_without_clone()) _exit(77);
        _exit(brief_thread_run(look_who_it_is) ? 1 : 0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        print_message("# filters are not to be had here\n");
        return;
    }
    assert_int_equal(status, 0);
}

int main(void)
{
    brief_thread_allow();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_brief_thread_works_beside_us_with_signals_blocked),
        cmocka_unit_test(when_it_has_ended_another_may_begin),
        cmocka_unit_test(a_forked_child_knows_that_its_brief_thread_is_gone),
        cmocka_unit_test(one_that_sleeps_ends_when_asked_and_is_gone_then),
        cmocka_unit_test(one_that_waits_for_a_held_lock_is_left_alone),
        cmocka_unit_test(it_knows_itself),
        cmocka_unit_test(a_child_made_without_handlers_knows_too),
        cmocka_unit_test(a_vforked_child_makes_none),
        cmocka_unit_test(none_comes_while_held_off),
        cmocka_unit_test(a_process_that_locked_itself_up_makes_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
