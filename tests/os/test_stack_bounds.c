// Protects: what is said to be the thread's own stack is, on whatever stack the question is asked;
// a coroutine's never is, and the bounds grow over pages that can be read only.
#include "os/stack_bounds.h"

#include "os/pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

enum { DEEP = 200 * 1024, COROUTINE = 64 * 1024 };

static uintptr_t here(void)
{
    return (uintptr_t)__builtin_frame_address(0);
}

static void the_initial_threads_stack_is_known_down_to_its_limit(void **state)
{
    (void)state;
    struct stack_bounds bounds;
    stack_bounds_init(&bounds);
    assert_true(stack_bounds_hold(&bounds, here()));
    assert_true(stack_bounds_hold(&bounds, (uintptr_t)environ[0]) || bounds.high > here());
    assert_true(stack_bounds_hold(&bounds, here() - DEEP));
    assert_false(stack_bounds_hold(&bounds, bounds.high));
    for (uintptr_t at = here(); at < bounds.high; at += PAGE_SIZE) {
        assert_true(pages_are_readable(at));
    }
}

static void *look_from_a_thread(void *wrong)
{
    volatile char deep[DEEP];
    struct stack_bounds bounds;
    stack_bounds_init(&bounds);
    pthread_attr_t attributes;
    void *start;
    size_t size;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &start, &size);
    pthread_attr_destroy(&attributes);
    uintptr_t sp = (uintptr_t)deep;
    uintptr_t end = (uintptr_t)start + size;
    // At first, but what is at the top; then from a place that frames lead up from.
    if (stack_bounds_hold(&bounds, sp)) *(int *)wrong = 1;
    if (bounds.low < (uintptr_t)start || bounds.high > end) *(int *)wrong = 2;
    if (!stack_bounds_lower(&bounds, sp)) *(int *)wrong = 3;
    if (!stack_bounds_hold(&bounds, sp)) *(int *)wrong = 4;
    if (bounds.low > sp || bounds.low < (uintptr_t)start) *(int *)wrong = 5;
    // Not past the guard page.
    if (stack_bounds_lower(&bounds, (uintptr_t)start - 2 * PAGE_SIZE)) *(int *)wrong = 6;
    return NULL;
}

static void other_threads_stacks_are_known_as_far_as_they_were_seen(void **state)
{
    (void)state;
    pthread_t thread;
    int wrong = 0;
    assert_int_equal(pthread_create(&thread, NULL, look_from_a_thread, &wrong), 0);
    pthread_join(thread, NULL);
    assert_int_equal(wrong, 0);
}

static ucontext_t outside;
static bool is_held;

static void look_from_a_coroutine(void)
{
    struct stack_bounds bounds;
    stack_bounds_init(&bounds);
    is_held = stack_bounds_hold(&bounds, here()) || stack_bounds_lower(&bounds, here());
}

static void *run_coroutine(void *ignored)
{
    ucontext_t inside;
    void *stack = pages_map(COROUTINE);
    getcontext(&inside);
    inside.uc_stack.ss_sp = stack;
    inside.uc_stack.ss_size = COROUTINE;
    inside.uc_link = &outside;
    makecontext(&inside, look_from_a_coroutine, 0);
    is_held = true;
    swapcontext(&outside, &inside);
    (void)pages_unmap(stack, COROUTINE);
    return ignored;
}

static void a_coroutines_stack_is_never_the_threads(void **state)
{
    (void)state;
    (void)run_coroutine(NULL);
    assert_false(is_held);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_coroutine, NULL), 0);
    pthread_join(thread, NULL);
    assert_false(is_held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_initial_threads_stack_is_known_down_to_its_limit),
        cmocka_unit_test(other_threads_stacks_are_known_as_far_as_they_were_seen),
        cmocka_unit_test(a_coroutines_stack_is_never_the_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
