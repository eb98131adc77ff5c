// Protects: threads held still, by either way: all of them stand, what they hold in registers is
// seen, wherever they are; and afterwards they go on as if nothing had been.
#include "os/stopped_threads.h"

#include "os/own_stack.h"
#include "os/parked_threads.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS = 6 };

static _Atomic bool must_end;
static _Atomic unsigned long counts[WORKERS];
static _Atomic unsigned begun;
static int ends[2]; // of a pipe

// Each counts as long as it is let.
static void *count_on(void *argument)
{
    size_t index = (size_t)(uintptr_t)argument;
    begun++;
    while (!must_end) counts[index]++;
    return NULL;
}

// Holds a number in R12 alone, and another in XMM9.
static const uint64_t number_r12 = 0x1122334455667788;
static const uint64_t number_xmm = 0x99aabbccddeeff11;

static void *hold_numbers(void *argument)
{
    (void)argument;
    begun++;
    uint64_t r12 = number_r12;
    uint64_t xmm = number_xmm;
    __asm__ volatile("mov %[r12], %%r12\n\tmovq %[xmm], %%xmm9\n\t"
                     "1: pause\n\tcmpb $0, %[end]\n\tje 1b"
                     :
                     : [r12] "r"(r12), [xmm] "r"(xmm), [end] "m"(must_end)
                     : "r12", "xmm9", "memory");
    return NULL;
}

// Waits in the kernel, every signal blocked.
static void *wait_blocked(void *argument)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    begun++;
    char byte;
    long count;
    do {
        count = read(ends[0], &byte, 1);
    } while (count < 0 && errno == EINTR);
    return count == 1 ? argument : NULL;
}

static void *(*const works[WORKERS])(void *) = {
    count_on, count_on, hold_numbers, wait_blocked, count_on, wait_blocked,
};

struct workers {
    pthread_t threads[WORKERS];
};

static void workers_start(struct workers *self)
{
    must_end = false;
    begun = 0;
    assert_int_equal(pipe(ends), 0);
    for (size_t i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_create(&self->threads[i], NULL, works[i], (void *)i), 0);
    }
    while (begun < WORKERS) sched_yield();
}

static void workers_end(struct workers *self)
{
    must_end = true;
    assert_int_equal(write(ends[1], "12", 2), 2);
    for (size_t i = 0; i < WORKERS; i++) {
        void *value = NULL;
        assert_int_equal(pthread_join(self->threads[i], &value), 0);
        if (works[i] == wait_blocked) assert_ptr_equal(value, (void *)i);
    }
    close(ends[0]);
    close(ends[1]);
}

static bool holds_word(const struct stopped_threads *stopped, uint64_t word)
{
    for (size_t i = 0; i < stopped->count; i++) {
        const struct stopped_thread *thread = &stopped->threads[i];
        for (size_t j = 0; j < thread->word_count; j++) {
            if (stopped->words[thread->first_word + j] == word) return true;
        }
    }
    return false;
}

struct look {
    bool parks; // by the second way
    int error;
    size_t count;
    bool was_parked;
    bool stood;
    bool saw_r12;
    bool saw_xmm;
    bool saw_places;
};

static unsigned long count_all(void)
{
    unsigned long sum = 0;
    for (size_t i = 0; i < WORKERS; i++) sum += counts[i];
    return sum;
}

static void stop_and_look(void *context)
{
    struct look *self = context;
    struct stopped_threads stopped;
    const struct stopping_options options = {.parks_only = self->parks};
    self->error = threads_stop(&stopped, &options);
    if (self->error) return;
    self->count = stopped.count;
    self->was_parked = stopped.is_parked;
    unsigned long before = count_all();
    const struct timespec moment = {.tv_nsec = 2000000};
    (void)syscall(SYS_nanosleep, &moment, NULL);
    self->stood = count_all() == before;
    self->saw_r12 = holds_word(&stopped, number_r12);
    self->saw_xmm = holds_word(&stopped, number_xmm);
    self->saw_places = true;
    for (size_t i = 0; i < stopped.count; i++) {
        const struct stopped_thread *thread = &stopped.threads[i];
        // libc's thread block stands above the stack that it is for.
        const bool is_likely = thread->pc && thread->sp && thread->block > thread->sp;
        self->saw_places &= thread->is_gone || is_likely;
    }
    threads_resume(&stopped);
}

static void expect_standing(bool parks)
{
    struct workers workers;
    workers_start(&workers);
    for (int i = 0; i < 20; i++) {
        struct look look = {.parks = parks};
        assert_true(own_stack_run(stop_and_look, &look));
        assert_int_equal(look.error, 0);
        assert_true(look.count >= WORKERS);
        assert_true(look.was_parked || !parks);
        assert_true(look.stood);
        assert_true(look.saw_r12);
        assert_true(look.saw_xmm);
        assert_true(look.saw_places);
        unsigned long before = count_all();
        while (count_all() == before) sched_yield(); // they go on
    }
    workers_end(&workers);
}

static void all_threads_stand_and_go_on(void **state)
{
    (void)state;
    expect_standing(false);
}

static void all_parked_threads_stand_and_go_on(void **state)
{
    (void)state;
    expect_standing(true);
}

static void alone_there_is_nothing_to_do(void **state)
{
    (void)state;
    struct look look = {0};
    assert_true(own_stack_run(stop_and_look, &look));
    assert_int_equal(look.error, 0);
    assert_int_equal(look.count, 0);
}

// --- threads that come and go

static void *end_at_once(void *argument)
{
    return argument;
}

static void *make_short_lives(void *argument)
{
    begun++;
    while (!must_end) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, end_at_once, argument) == 0) pthread_join(thread, NULL);
    }
    return NULL;
}

static void threads_may_come_and_go_meanwhile(void **state)
{
    (void)state;
    pthread_t makers[2];
    must_end = false;
    begun = 0;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&makers[i], NULL, make_short_lives, NULL), 0);
    }
    while (begun < 2) sched_yield();
    for (int i = 0; i < 100; i++) {
        struct look look = {.parks = i % 2 == 1};
        assert_true(own_stack_run(stop_and_look, &look));
        // A thread that is just being made has every signal blocked: parking may give up.
        if (!look.parks) assert_int_equal(look.error, 0);
        if (!look.error) assert_true(look.stood && look.count >= 2);
    }
    must_end = true;
    for (size_t i = 0; i < 2; i++) assert_int_equal(pthread_join(makers[i], NULL), 0);
}

// --- signals, children

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
    (void)number;
    signals++;
}

static void *take_signals(void *argument)
{
    begun++;
    while (!must_end) pause();
    return argument;
}

// One that is on its way as a thread is stopped is delivered when it goes on.
static void no_signal_is_lost(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    pthread_t thread;
    const struct sigaction action = {.sa_handler = count_signal};
    sigaction(SIGUSR2, &action, NULL);
    must_end = false;
    begun = 0;
    signals = 0;
    assert_int_equal(pthread_create(&thread, NULL, take_signals, NULL), 0);
    while (begun == 0) sched_yield();
    for (int i = 0; i < COUNT; i++) {
        const int before = signals;
        assert_int_equal(pthread_kill(thread, SIGUSR2), 0);
        struct look look = {.parks = i % 2 == 1};
        assert_true(own_stack_run(stop_and_look, &look));
        assert_int_equal(look.error, 0);
        for (int wait = 0; signals == before && wait < 100000; wait++) sched_yield();
        assert_int_equal(signals, before + 1);
    }
    must_end = true;
    (void)pthread_kill(thread, SIGUSR2);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void it_leaves_no_child_behind(void **state)
{
    (void)state;
    struct workers workers;
    workers_start(&workers);
    struct look look = {0};
    assert_true(own_stack_run(stop_and_look, &look));
    assert_int_equal(look.error, 0);
    errno = 0;
    assert_int_equal(waitpid(-1, NULL, __WALL | WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    workers_end(&workers);
}

static void *look_in_thread(void *look)
{
    return own_stack_run(stop_and_look, look) ? NULL : look;
}

// As under a debugger: then they are parked.
static void traced_threads_are_parked(void **state)
{
    (void)state;
    struct workers workers;
    workers_start(&workers);
    const pid_t parent = getpid();
    int said[2];
    assert_int_equal(pipe(said), 0);
    const pid_t tracer = fork();
    assert_true(tracer >= 0);
    if (tracer == 0) {
        // Seizes a thread of its parent's for as long as it lives.
        const long error = ptrace(PTRACE_SEIZE, parent, 0, 0);
        const char word = error == 0 ? 'y' : 'n';
        (void)!write(said[1], &word, 1);
        for (;;) {
            int status;
            if (waitpid(parent, &status, __WALL) < 0) _exit(0);
            if (WIFSTOPPED(status)) ptrace(PTRACE_CONT, parent, 0, WSTOPSIG(status));
        }
    }
    char word;
    assert_int_equal(read(said[0], &word, 1), 1);
    if (word == 'y') {
        // From another thread, for which the traced one is among the others.
        pthread_t looker;
        struct look look = {0};
        assert_int_equal(pthread_create(&looker, NULL, look_in_thread, &look), 0);
        assert_int_equal(pthread_join(looker, NULL), 0);
        assert_int_equal(look.error, 0);
        assert_true(look.was_parked);
        assert_true(look.stood);
    }
    kill(tracer, SIGKILL);
    waitpid(tracer, NULL, 0);
    close(said[0]);
    close(said[1]);
    workers_end(&workers);
    if (word != 'y') skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_threads_stand_and_go_on),
        cmocka_unit_test(all_parked_threads_stand_and_go_on),
        cmocka_unit_test(alone_there_is_nothing_to_do),
        cmocka_unit_test(threads_may_come_and_go_meanwhile),
        cmocka_unit_test(no_signal_is_lost),
        cmocka_unit_test(it_leaves_no_child_behind),
        cmocka_unit_test(traced_threads_are_parked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
