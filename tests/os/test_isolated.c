// Protects: whatever a function does in a process of its own, ours goes on and knows how it ended.
#include "os/isolated.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct taken {
    char bytes[64];
    size_t size;
    size_t all;
    int error;
};

static int take(void *context, const void *bytes, size_t size)
{
    struct taken *self = context;
    self->all += size;
    if (self->size + size <= sizeof self->bytes) {
        memcpy(self->bytes + self->size, bytes, size);
        self->size += size;
    }
    return self->error;
}

static int run_for(isolated_run_function run, struct taken *taken, enum isolated_end *end)
{
    struct isolated_task task = {
        .run = run,
        .take = take,
        .take_context = taken,
        .milliseconds_max = 60000,
    };
    return isolated_run(&task, end);
}

static int say_hello(void *context, int fd)
{
    (void)context;
    return write(fd, "hello", 5) == 5 ? 0 : -1;
}

static int fail_after_hello(void *context, int fd)
{
    (void)say_hello(context, fd);
    return -1;
}

static int crash_after_hello(void *context, int fd)
{
    (void)say_hello(context, fd);
    signal(SIGSEGV, SIG_DFL); // a sanitizer's handler is not what this is about
    raise(SIGSEGV);
    return 0;
}

static int abort_after_hello(void *context, int fd)
{
    (void)say_hello(context, fd);
    signal(SIGABRT, SIG_DFL);
    raise(SIGABRT);
    return 0;
}

static int hang_after_hello(void *context, int fd)
{
    (void)say_hello(context, fd);
    while (pause() < 0) continue;
    return 0;
}

static int write_for_ever(void *context, int fd)
{
    (void)context;
    char part[4096] = {0};
    while (write(fd, part, sizeof part) > 0) continue;
    return 0;
}

static void what_it_writes_comes_back(void **state)
{
    (void)state;
    struct taken taken = {.size = 0};
    enum isolated_end end;
    assert_int_equal(run_for(say_hello, &taken, &end), 0);
    assert_int_equal(end, ISOLATED_DONE);
    assert_int_equal(taken.size, 5);
    assert_memory_equal(taken.bytes, "hello", 5);
}

static void what_was_written_before_a_crash_is_kept(void **state)
{
    (void)state;
    isolated_run_function const bad[] = {fail_after_hello, crash_after_hello, abort_after_hello};
    const enum isolated_end ends[] = {ISOLATED_FAILED, ISOLATED_CRASHED, ISOLATED_CRASHED};
    for (size_t i = 0; i < 3; i++) {
        struct taken taken = {.size = 0};
        enum isolated_end end;
        assert_int_equal(run_for(bad[i], &taken, &end), 0);
        assert_int_equal(end, ends[i]);
        assert_int_equal(taken.size, 5);
    }
}

static void one_that_hangs_is_ended_in_time(void **state)
{
    (void)state;
    isolated_run_function const bad[] = {hang_after_hello, write_for_ever};
    for (size_t i = 0; i < 2; i++) {
        struct taken taken = {.size = 0};
        struct isolated_task task = {
            .run = bad[i],
            .take = take,
            .take_context = &taken,
            .milliseconds_max = 200,
        };
        enum isolated_end end;
        assert_int_equal(isolated_run(&task, &end), 0);
        assert_int_equal(end, ISOLATED_LATE);
        assert_true(taken.all >= 5);
    }
}

static void one_whose_bytes_are_refused_is_ended(void **state)
{
    (void)state;
    struct taken taken = {.error = -EBADMSG};
    enum isolated_end end;
    assert_int_equal(run_for(write_for_ever, &taken, &end), -EBADMSG);
}

static void no_process_and_no_descriptor_is_left(void **state)
{
    (void)state;
    int before = dup(0);
    close(before);
    for (int i = 0; i < 20; i++) {
        struct taken taken = {.size = 0};
        enum isolated_end end;
        assert_int_equal(run_for(i % 2 ? say_hello : crash_after_hello, &taken, &end), 0);
    }
    int after = dup(0);
    close(after);
    assert_int_equal(before, after);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void a_program_that_ignores_its_children_gets_the_bytes_too(void **state)
{
    (void)state;
    signal(SIGCHLD, SIG_IGN);
    struct taken taken = {.size = 0};
    enum isolated_end end;
    assert_int_equal(run_for(say_hello, &taken, &end), 0);
    signal(SIGCHLD, SIG_DFL);
    assert_int_equal(end, ISOLATED_DONE);
    assert_int_equal(taken.size, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_writes_comes_back),
        cmocka_unit_test(what_was_written_before_a_crash_is_kept),
        cmocka_unit_test(one_that_hangs_is_ended_in_time),
        cmocka_unit_test(one_whose_bytes_are_refused_is_ended),
        cmocka_unit_test(no_process_and_no_descriptor_is_left),
        cmocka_unit_test(a_program_that_ignores_its_children_gets_the_bytes_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
