// Protects: a function that runs on a stack of its own: it finds its argument and all that callers
// rely on, leaves the caller's stack alone, and no signal comes meanwhile.
#include "os/own_stack.h"

#include "os/own_pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

struct visit {
    int number;
    uintptr_t sp;
    bool is_blocked;
};

static void visit(void *context)
{
    struct visit *self = context;
    volatile char large[100 * 1024]; // more than small threads have
    memset((void *)large, self->number, sizeof large);
    self->sp = (uintptr_t)__builtin_frame_address(0);
    sigset_t blocked;
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    self->is_blocked = sigismember(&blocked, SIGUSR1) && sigismember(&blocked, SIGSEGV);
    self->number += large[50 * 1024];
}

static void it_runs_elsewhere_with_its_argument(void **state)
{
    (void)state;
    struct visit self = {.number = 21};
    assert_true(own_stack_run(visit, &self));
    assert_int_equal(self.number, 42);
    assert_true(self.is_blocked);
    const uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    assert_true(self.sp > here + 1024 * 1024 || self.sp < here - 1024 * 1024);
    sigset_t blocked;
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    assert_false(sigismember(&blocked, SIGUSR1));
    uintptr_t start;
    uintptr_t end;
    for (size_t i = 0; i < OWN_PAGES_MAX; i++) assert_false(own_pages_at(i, &start, &end));
}

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
    (void)number;
    signals++;
}

static void raise_signal(void *context)
{
    kill(getpid(), SIGUSR1);
    *(int *)context = signals;
}

static void a_signal_waits_until_it_is_over(void **state)
{
    (void)state;
    const struct sigaction action = {.sa_handler = count_signal};
    sigaction(SIGUSR1, &action, NULL);
    int meanwhile = -1;
    assert_true(own_stack_run(raise_signal, &meanwhile));
    assert_int_equal(meanwhile, 0);
    assert_int_equal(signals, 1);
}

static void *run_in_small_thread(void *argument)
{
    return own_stack_run(visit, argument) ? NULL : argument;
}

static void a_thread_with_the_least_stack_can_do_it(void **state)
{
    (void)state;
    struct visit self = {.number = 1};
    pthread_attr_t small;
    pthread_t thread;
    void *fault;
    assert_int_equal(pthread_attr_init(&small), 0);
    assert_int_equal(pthread_attr_setstacksize(&small, 16384), 0);
    assert_int_equal(pthread_create(&thread, &small, run_in_small_thread, &self), 0);
    assert_int_equal(pthread_join(thread, &fault), 0);
    assert_null(fault);
    assert_int_equal(self.number, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_runs_elsewhere_with_its_argument),
        cmocka_unit_test(a_signal_waits_until_it_is_over),
        cmocka_unit_test(a_thread_with_the_least_stack_can_do_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
