// Protects: a capture is the whole stack, frame by frame, whatever the functions on it look like
// and however the stack changed since the last one; and the nodes it says are unchanged are.
#include "full_unwind.h"
#include "shapes.h"

#include "base/attributes.h"
#include "track/own_code.h"
#include "track/rule_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

enum {
    CAPTURES = 300000,
    CAPTURES_IN_THREAD = 30000,
    THREADS = 4,
    DEPTH_MAX = 40, // of shapes, each of some frames
};

// A walk at random. Its stacks grow and shrink; each end of one is a capture.
struct wander {
    struct path path; // first: shapes are given this
    struct capture *capture;
    unsigned seed;
    unsigned captures; // to go
    jmp_buf base;
};

static unsigned draw(struct wander *self)
{
    self->seed = self->seed * 1103515245 + 12345;
    return self->seed >> 8;
}

static void step(struct path *path)
{
    struct wander *self = (struct wander *)path;
    if (path->left == 0 || draw(self) % 4 == 0) {
        expect_full_stack(self->capture, RECORD_END_COMPLETE);
        self->captures--;
        if (draw(self) % 700 == 0) longjmp(self->base, 1);
    }
    // Several calls from the same frame: what lies further out stays.
    for (unsigned i = draw(self) % 3; path->left > 0 && self->captures > 0 && i < 3; i++) {
        path->left--;
        path->seed = draw(self);
        shape_call(path);
        path->left++;
    }
}

static NOINLINE void wander(struct capture *capture, unsigned captures, unsigned seed)
{
    static __thread struct wander self;
    self = (struct wander){.path.next = step, .capture = capture, .seed = seed};
    self.captures = captures;
    (void)setjmp(self.base);
    while (self.captures > 0) {
        self.path.left = draw(&self) % DEPTH_MAX;
        self.path.seed = draw(&self);
        shape_call(&self.path);
    }
}

static struct capture *make_capture(void)
{
    struct capture *capture = calloc(1, sizeof *capture);
    assert_non_null(capture);
    capture_init(capture);
    return capture;
}

static void a_capture_is_the_full_stack_whatever_the_program_does(void **state)
{
    (void)state;
    struct capture *capture = make_capture();
    print_message("# seed 20261124\n");
    wander(capture, CAPTURES, 20261124);
    free(capture);
}

static void *wander_in_thread(void *number)
{
    struct capture *capture = make_capture();
    wander(capture, CAPTURES_IN_THREAD, *(unsigned *)number);
    free(capture);
    return NULL;
}

static void threads_capture_each_its_own(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    unsigned seeds[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        seeds[i] = i + 1;
        assert_int_equal(pthread_create(&threads[i], NULL, wander_in_thread, &seeds[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        rule_table_forget(); // under their feet
        pthread_join(threads[i], NULL);
    }
}

// --- what the last capture left
// ---------------------------------------------------------------------

static NOINLINE void capture_twice(struct capture *capture)
{
    for (volatile int i = 0; i < 2; i++) expect_full_stack(capture, RECORD_END_COMPLETE);
}

static void frames_that_are_still_there_keep_their_nodes(void **state)
{
    (void)state;
    struct capture *capture = make_capture();
    capture_twice(capture);
    assert_int_equal(capture->unchanged, capture->depth);
    rule_table_forget();
    expect_full_stack(capture, RECORD_END_COMPLETE);
    assert_int_equal(capture->unchanged, 0);
    capture_twice(capture);
    assert_int_equal(capture->unchanged, capture->depth);
    free(capture);
}

static void a_capture_that_was_not_kept_is_not_built_upon(void **state)
{
    (void)state;
    struct capture *capture = make_capture();
    capture_twice(capture);
    capture_take(capture);
    capture_take(capture);
    assert_int_equal(capture->unchanged, 0);
    memset(capture->nodes, 0xaa, sizeof capture->nodes);
    expect_full_stack(capture, RECORD_END_COMPLETE);
    free(capture);
}

static void own_frames_are_left_out(void **state)
{
    (void)state;
    struct capture *capture = make_capture();
    expect_full_stack(capture, RECORD_END_COMPLETE);
    uint32_t depth = capture->depth;
    uintptr_t innermost = capture->frames[depth - 1].address;
    own_code_set(innermost - 256, innermost + 256); // expect_full_stack(), or some of it
    for (int i = 0; i < 3; i++) {
        capture_take(capture);
        assert_int_equal(capture->depth, depth - 1); // of this function itself
        for (uint32_t k = capture->unchanged; k < capture->depth; k++) capture->nodes[k] = k;
        capture_keep(capture);
    }
    own_code_set(0, 0);
    free(capture);
}

static void dive(struct path *path)
{
    struct wander *self = (struct wander *)path;
    if (path->left == 0) {
        for (int i = 0; i < 2; i++) expect_inner_stack(self->capture, RECORD_END_DEPTH);
        assert_int_equal(self->capture->depth, RECORD_STACK_MAX);
        return;
    }
    path->left--;
    path->seed = draw(self);
    shape_call(path);
    path->left++;
}

static void of_a_deeper_stack_the_innermost_frames_are_there(void **state)
{
    (void)state;
    struct wander self = {.path.next = dive, .capture = make_capture(), .seed = 3};
    for (unsigned i = 0; i < 50; i++) {
        self.path.left = 250 + i;
        shape_call(&self.path);
    }
    wander(self.capture, 1000, 4);
    free(self.capture);
}

// --- signals
// ---------------------------------------------------------------------

static struct capture *signalled;
static volatile sig_atomic_t signals;
static sigjmp_buf signal_base;

static void capture_in_handler(int number)
{
    (void)number;
    signals++;
    expect_inner_stack(signalled, RECORD_END_SIGNAL);
    wander(signalled, 0, 1);
    expect_inner_stack(signalled, RECORD_END_SIGNAL);
}

static void handle(int number, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    assert_int_equal(sigaction(number, &action, NULL), 0);
}

static void a_stack_ends_at_a_signal_handler(void **state)
{
    (void)state;
    signalled = make_capture();
    signals = 0;
    const int flags[] = {0, SA_ONSTACK};
    stack_t alternate = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
    assert_int_equal(sigaltstack(&alternate, NULL), 0);
    for (int i = 0; i < 2; i++) {
        handle(SIGUSR1, capture_in_handler, flags[i]);
        capture_twice(signalled);
        raise(SIGUSR1);
        capture_twice(signalled);
    }
    assert_int_equal(signals, 2);
    stack_t none = {.ss_flags = SS_DISABLE};
    assert_int_equal(sigaltstack(&none, NULL), 0);
    free(alternate.ss_sp);
    free(signalled);
}

static void leave(int number)
{
    (void)number;
    siglongjmp(signal_base, 1);
}

// Whatever the signal comes in between of, the next capture is right.
static NOINLINE void capture_until_left(struct capture *capture, unsigned rounds)
{
    static volatile unsigned round;
    struct itimerval timer = {.it_value = {.tv_usec = 1}};
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    for (round = 0; round < rounds; round++) {
        timer.it_value.tv_usec = 20 + round % 60;
        if (sigsetjmp(signal_base, 1) == 0) {
            setitimer(ITIMER_REAL, &timer, NULL);
            for (;;) {
                capture_take(capture);
                for (uint32_t i = capture->unchanged; i < capture->depth; i++) {
                    capture->nodes[i] = 0; // not those that the comparison wants
                }
            }
        }
        sigprocmask(SIG_BLOCK, &alarm, NULL);
        expect_full_stack(capture, RECORD_END_COMPLETE);
        sigprocmask(SIG_UNBLOCK, &alarm, NULL);
    }
}

static void a_capture_that_a_handler_jumped_out_of_leaves_nothing_behind(void **state)
{
    (void)state;
    struct capture *capture = make_capture();
    handle(SIGALRM, leave, 0);
    capture_until_left(capture, 500);
    handle(SIGALRM, SIG_DFL, 0);
    free(capture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_capture_is_the_full_stack_whatever_the_program_does),
        cmocka_unit_test(threads_capture_each_its_own),
        cmocka_unit_test(frames_that_are_still_there_keep_their_nodes),
        cmocka_unit_test(a_capture_that_was_not_kept_is_not_built_upon),
        cmocka_unit_test(own_frames_are_left_out),
        cmocka_unit_test(of_a_deeper_stack_the_innermost_frames_are_there),
        cmocka_unit_test(a_stack_ends_at_a_signal_handler),
        cmocka_unit_test(a_capture_that_a_handler_jumped_out_of_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
