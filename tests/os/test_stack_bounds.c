// Protects: what is said to be the thread's own stack is, on whatever stack the question is asked;
// a coroutine's never is, and the bounds grow over pages that can be read only.
#include "os/stack_bounds.h"

#include "base/align.h"
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

static __thread char large[DEEP]; // stands between the stack and libc's thread block

struct seen {
    uintptr_t start; // by libc
    uintptr_t end;
    uintptr_t sp;
    uintptr_t local; // of the thread
    struct stack_bounds bounds;
};

static void *look_from_a_thread(void *argument)
{
    struct seen *seen = argument;
    pthread_attr_t attributes;
    void *start;
    size_t size;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &start, &size);
    pthread_attr_destroy(&attributes);
    seen->start = (uintptr_t)start;
    seen->end = seen->start + size;
    seen->sp = here();
    seen->local = (uintptr_t)large;
    stack_bounds_init(&seen->bounds);
    return NULL;
}

static void expect_thread(const struct seen *seen)
{
    assert_in_range(seen->bounds.low, seen->start, seen->start + (1 << 16)); // a guard at most
    assert_in_range(seen->bounds.high, seen->local, seen->end);
    assert_true(stack_bounds_hold(&seen->bounds, seen->sp));
}

static void other_threads_stacks_are_known_as_libc_made_them(void **state)
{
    (void)state;
    pthread_t thread;
    struct seen seen = {0};
    assert_int_equal(pthread_create(&thread, NULL, look_from_a_thread, &seen), 0);
    pthread_join(thread, NULL);
    expect_thread(&seen);
}

static void a_stack_of_the_programs_own_is_known_as_it_was_given(void **state)
{
    (void)state;
    const size_t size = 3 * DEEP + 16;
    char *memory = pages_map(align_up(size, PAGE_SIZE));
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    assert_int_equal(pthread_attr_setstack(&attributes, memory + 16, size - 16), 0);
    pthread_t thread;
    struct seen seen = {0};
    assert_int_equal(pthread_create(&thread, &attributes, look_from_a_thread, &seen), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
    expect_thread(&seen);
    assert_true(seen.bounds.low >= (uintptr_t)memory);
    (void)pages_unmap(memory, align_up(size, PAGE_SIZE));
}

static void bounds_grow_over_what_can_be_read(void **state)
{
    (void)state;
    char *pages = pages_map(16 * PAGE_SIZE);
    uintptr_t start = (uintptr_t)pages;
    assert_int_equal(mprotect(pages + 4 * PAGE_SIZE, PAGE_SIZE, PROT_NONE), 0);
    struct stack_bounds bounds = {.low = start + 12 * PAGE_SIZE, .high = start + 16 * PAGE_SIZE};
    assert_true(stack_bounds_lower(&bounds, start + 6 * PAGE_SIZE + 100));
    assert_int_equal(bounds.low, start + 6 * PAGE_SIZE);
    assert_false(stack_bounds_lower(&bounds, start + 7 * PAGE_SIZE)); // within already
    assert_false(stack_bounds_lower(&bounds, start + 3 * PAGE_SIZE)); // the guard page is between
    assert_false(stack_bounds_lower(&bounds, 16));
    assert_int_equal(bounds.low, start + 6 * PAGE_SIZE);
    (void)pages_unmap(pages, 16 * PAGE_SIZE);
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
        cmocka_unit_test(other_threads_stacks_are_known_as_libc_made_them),
        cmocka_unit_test(a_stack_of_the_programs_own_is_known_as_it_was_given),
        cmocka_unit_test(bounds_grow_over_what_can_be_read),
        cmocka_unit_test(a_coroutines_stack_is_never_the_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
