// Protects: threads that stand in code to be avoided are let out of it before they are held, also
// those that are hardly ever anywhere else, a step at a time; and nothing of the steps is left: no
// signal of them, no mask and no disposition changed.
#include "os/traced_thread.h"

#include "os/own_stack.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_int begun;
static atomic_bool must_end;

__attribute__((noinline, section("avoided_code"))) static void stay_inside(void)
{
    for (volatile int i = 0; i < 1000; i++) continue;
}

extern const char __start_avoided_code[];
extern const char __stop_avoided_code[];

static void *go_in_and_out(void *argument)
{
    (void)argument;
    begun++;
    while (!must_end) {
        stay_inside();
        for (volatile int i = 0; i < 300; i++) continue;
    }
    return NULL;
}

struct avoidance {
    bool parks;
    int error;
    bool is_inside;
};

static void stop_outside(void *context)
{
    struct avoidance *self = context;
    struct stopped_threads stopped;
    const struct stopping_options options = {
        .avoid_start = (uintptr_t)__start_avoided_code,
        .avoid_end = (uintptr_t)__stop_avoided_code,
        .parks_only = self->parks,
    };
    self->error = threads_stop(&stopped, &options);
    if (self->error) return;
    for (size_t i = 0; i < stopped.count; i++) {
        uintptr_t pc = stopped.threads[i].pc;
        self->is_inside |= pc >= options.avoid_start && pc < options.avoid_end;
    }
    threads_resume(&stopped);
}

static void expect_outside(bool parks)
{
    pthread_t thread;
    must_end = false;
    begun = 0;
    assert_int_equal(pthread_create(&thread, NULL, go_in_and_out, NULL), 0);
    while (begun == 0) sched_yield();
    for (int i = 0; i < 200; i++) {
        struct avoidance avoidance = {.parks = parks};
        assert_true(own_stack_run(stop_outside, &avoidance));
        assert_int_equal(avoidance.error, 0);
        assert_false(avoidance.is_inside);
    }
    must_end = true;
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void threads_are_let_out_of_avoided_code(void **state)
{
    (void)state;
    expect_outside(false);
    expect_outside(true);
}

__attribute__((noinline, section("avoided_code"))) static void stay_briefly(void)
{
    for (volatile int i = 0; i < 20; i++) continue;
}

static void *come_back_at_once(void *argument)
{
    (void)argument;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    begun++;
    while (!must_end) stay_briefly();
    pthread_sigmask(SIG_BLOCK, NULL, &all);
    return sigismember(&all, SIGTRAP) ? NULL : &must_end;
}

// As those are that do nothing but allocate. By steps, of which SIGTRAP tells: what the program
// does about it stays as it was.
static void many_that_are_nearly_always_inside_are_let_out(void **state)
{
    (void)state;
    enum { THREADS = 24 };
    pthread_t threads[THREADS];
    (void)signal(SIGTRAP, SIG_IGN);
    must_end = false;
    begun = 0;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, come_back_at_once, NULL), 0);
    }
    while (begun < THREADS) sched_yield();
    for (int i = 0; i < 10; i++) {
        struct avoidance avoidance = {.parks = false};
        assert_true(own_stack_run(stop_outside, &avoidance));
        assert_int_equal(avoidance.error, 0);
        assert_false(avoidance.is_inside);
    }
    must_end = true;
    for (int i = 0; i < THREADS; i++) {
        void *is_changed;
        assert_int_equal(pthread_join(threads[i], &is_changed), 0);
        assert_null(is_changed);
    }
    assert_ptr_equal(signal(SIGTRAP, SIG_DFL), SIG_IGN);
}

static volatile char *awaited; // a page that nobody has provided yet

__attribute__((noinline, section("avoided_code"))) static void touch(void)
{
    (void)*awaited;
}

static void *touch_it(void *argument)
{
    begun++;
    touch();
    return argument;
}

// A page of which nobody tells the kernel, until there is one to be copied there; -1: not allowed.
static int await_page(void)
{
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
    struct uffdio_api api = {.api = UFFD_API};
    awaited = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(awaited, MAP_FAILED);
    struct uffdio_register range = {
        .range = {(uintptr_t)awaited, 4096},
        .mode = UFFDIO_REGISTER_MODE_MISSING,
    };
    if (fd < 0) return -1;
    assert_int_equal(ioctl(fd, UFFDIO_API, &api), 0);
    assert_int_equal(ioctl(fd, UFFDIO_REGISTER, &range), 0);
    return fd;
}

// Its next step would come to an end when nobody is there to take the signal of it: that would kill
// the process.
static void who_waits_for_a_page_inside_goes_on_later(void **state)
{
    (void)state;
    static _Alignas(4096) char page[4096];
    int fd = await_page();
    if (fd < 0) {
        print_message("userfaultfd is not allowed here\n");
        skip();
    }
    pthread_t thread;
    begun = 0;
    assert_int_equal(pthread_create(&thread, NULL, touch_it, NULL), 0);
    while (begun == 0) sched_yield();
    usleep(20 * 1000); // until it waits, or just before
    struct avoidance avoidance = {.parks = false};
    assert_true(own_stack_run(stop_outside, &avoidance));
    assert_int_equal(avoidance.error, 0);
    assert_true(avoidance.is_inside);
    struct uffdio_copy copy = {.dst = (uintptr_t)awaited, .src = (uintptr_t)page, .len = 4096};
    assert_int_equal(ioctl(fd, UFFDIO_COPY, &copy), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    close(fd);
    munmap((void *)(uintptr_t)awaited, 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_are_let_out_of_avoided_code),
        cmocka_unit_test(who_waits_for_a_page_inside_goes_on_later),
        cmocka_unit_test(many_that_are_nearly_always_inside_are_let_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
