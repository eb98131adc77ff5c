// Protects: where there is nothing right to find, a stack ends, says why, and is right up to there:
// coroutines whose stacks come and go, code without unwind information or with wrong one. Nothing
// is ever read that is not there.
#include "full_unwind.h"
#include "shapes.h"

#include "base/attributes.h"
#include "os/pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { ROUNDS = 300, COROUTINES = 4, STACK_SIZE = 64 * 1024, FEW = 6 };

static struct capture *make_capture(void)
{
    struct capture *capture = calloc(1, sizeof *capture);
    assert_non_null(capture);
    capture_init(capture);
    return capture;
}

// --- a stack of some shapes, with something at its end
// ---------------------------------------------------------------------

struct descent {
    struct path path; // first: shapes are given this
    struct capture *capture;
    void (*arrive)(struct descent *self);
    unsigned seed;
};

static void descend(struct path *path)
{
    struct descent *self = (struct descent *)path;
    if (path->left == 0) {
        self->arrive(self);
        NO_TAIL_CALL;
        return;
    }
    self->seed = self->seed * 1103515245 + 12345;
    path->seed = self->seed >> 8;
    path->left--;
    shape_call(path);
    path->left++;
}

static NOINLINE void begin(struct descent *self, unsigned depth)
{
    self->path.next = descend;
    self->path.left = depth;
    descend(&self->path);
    NO_TAIL_CALL;
}

static void expect_whole(struct descent *self)
{
    expect_full_stack(self->capture, RECORD_END_COMPLETE);
    NO_TAIL_CALL;
}

// --- coroutines
// ---------------------------------------------------------------------

struct coroutine {
    ucontext_t context;
    void *stack;
    struct descent descent;
};

static __thread struct {
    ucontext_t outside;
    struct coroutine *current;
} switching;

static void yield_and_capture(struct descent *self)
{
    struct coroutine *here = switching.current;
    for (volatile int i = 0; i < 3; i++) {
        // libgcc follows what stands behind makecontext's frame; a capture ends there.
        expect_inner_stack(self->capture, RECORD_END_COMPLETE);
        swapcontext(&here->context, &switching.outside);
    }
    NO_TAIL_CALL;
}

static void run_coroutine(void)
{
    begin(&switching.current->descent, FEW);
    NO_TAIL_CALL;
}

static void open_coroutine(struct coroutine *self, struct capture *capture, unsigned seed)
{
    self->stack = pages_map(STACK_SIZE);
    assert_non_null(self->stack);
    self->descent = (struct descent){.capture = capture, .arrive = yield_and_capture, .seed = seed};
    getcontext(&self->context);
    self->context.uc_stack.ss_sp = self->stack;
    self->context.uc_stack.ss_size = STACK_SIZE;
    self->context.uc_link = &switching.outside;
    makecontext(&self->context, run_coroutine, 0);
}

// Goes on in it. When it has ended, its stack is gone, and another may come in its place.
static bool resume(struct coroutine *self)
{
    switching.current = self;
    swapcontext(&switching.outside, &self->context);
    return self->descent.path.left == 0; // it yields from below
}

static NOINLINE void mix_coroutines(struct capture *capture)
{
    struct coroutine *all = calloc(COROUTINES, sizeof *all);
    unsigned seed = 1;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct coroutine *one = &all[seed % COROUTINES];
        if (!one->stack) open_coroutine(one, capture, seed);
        if (!resume(one)) {
            (void)pages_unmap(one->stack, STACK_SIZE);
            one->stack = NULL;
        }
        struct descent outside = {.capture = capture, .arrive = expect_whole, .seed = seed};
        if (i % 3 == 0) begin(&outside, FEW);
        seed = seed * 1103515245 + 12345;
        seed ^= seed >> 16;
    }
    for (int i = 0; i < COROUTINES; i++) {
        if (all[i].stack) (void)pages_unmap(all[i].stack, STACK_SIZE);
    }
    free(all);
}

static void coroutines_end_at_their_start_and_leave_no_trace(void **state)
{
    (void)state;
    struct capture *capture = make_capture();
    mix_coroutines(capture);
    free(capture);
}

static void *mix_coroutines_first(void *ignored)
{
    struct capture *capture = make_capture();
    mix_coroutines(capture);
    struct descent outside = {.capture = capture, .arrive = expect_whole, .seed = 5};
    for (volatile int i = 0; i < 3; i++) begin(&outside, 40);
    assert_true(capture->is_known);
    free(capture);
    return ignored;
}

static void a_thread_may_begin_on_a_coroutine(void **state)
{
    (void)state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, mix_coroutines_first, NULL), 0);
    pthread_join(thread, NULL);
}

// --- code that nobody describes, or describes wrong
// ---------------------------------------------------------------------

typedef void (*caller)(void (*function)(struct descent *), struct descent *argument);

// They call function(argument). The first is not described at all; the others are, but their CFA is
// said to be elsewhere: further up in the same stack, past its end, far away, and below.
#define CALLER(name, before, cfi, after)                                                           \
    __asm__(".text\n.p2align 4\n.globl " #name "\n.type " #name ", @function\n" #name ":\n" before \
            "    sub $8, %rsp\n" cfi "    mov %rdi, %rax\n    mov %rsi, %rdi\n"                    \
            "    call *%rax\n    add $8, %rsp\n    ret\n" after ".size " #name ", .-" #name        \
            "\n    .p2align 4\n    .fill 16, 1, 0x90\n");                                          \
    void name(void (*function)(struct descent *), struct descent *argument)

CALLER(call_bare, "", "", "");
CALLER(call_as_if_larger, ".cfi_startproc\n", ".cfi_def_cfa_offset 4096\n", ".cfi_endproc\n");
CALLER(call_as_if_huge, ".cfi_startproc\n", ".cfi_def_cfa_offset 0x7ffffff0\n", ".cfi_endproc\n");
CALLER(call_as_if_odd, ".cfi_startproc\n", ".cfi_def_cfa_offset 21\n", ".cfi_endproc\n");
CALLER(call_as_if_below, ".cfi_startproc\n", ".cfi_def_cfa_offset -64\n", ".cfi_endproc\n");
CALLER(call_as_if_by_rbp, ".cfi_startproc\n", ".cfi_def_cfa 6, 16\n", ".cfi_endproc\n");
CALLER(call_as_if_by_rbx, ".cfi_startproc\n", ".cfi_def_cfa 3, 16\n", ".cfi_endproc\n");
CALLER(call_as_if_stored, ".cfi_startproc\n", ".cfi_escape 0x0f, 3, 0x76, 0x78, 6\n",
       ".cfi_endproc\n");

static void capture_somehow(struct descent *self)
{
    for (volatile int i = 0; i < 2; i++) {
        capture_take(self->capture);
        assert_true(self->capture->depth >= 1);
        assert_true(self->capture->depth <= RECORD_STACK_MAX);
        for (uint32_t k = 0; k < self->capture->depth; k++) self->capture->nodes[k] = k;
        capture_keep(self->capture);
    }
}

static caller called;
static enum record_stack_end called_end;

static void expect_end(struct descent *self)
{
    capture_take(self->capture);
    assert_int_equal(self->capture->end, called_end);
    assert_int_equal(self->capture->depth, 2); // this function, and in the caller
    NO_TAIL_CALL;
}

static void call_on(struct descent *self)
{
    called(expect_end, self);
    NO_TAIL_CALL;
}

static void expect_called_end(caller function, enum record_stack_end end)
{
    struct descent descent = {.capture = make_capture(), .arrive = call_on, .seed = 3};
    called = function;
    called_end = end;
    for (unsigned i = 0; i < 10; i++) begin(&descent, i);
    free(descent.capture);
}

static void code_without_unwind_information_ends_a_stack(void **state)
{
    (void)state;
    expect_called_end(call_bare, RECORD_END_NO_RULE);
}

static void code_made_at_run_time_ends_a_stack(void **state)
{
    (void)state;
    static const uint8_t code[] = {0x48, 0x83, 0xec, 0x08,        // sub $8, %rsp
                                   0x48, 0x89, 0xf8,              // mov %rdi, %rax
                                   0x48, 0x89, 0xf7,              // mov %rsi, %rdi
                                   0xff, 0xd0,                    // call *%rax
                                   0x48, 0x83, 0xc4, 0x08, 0xc3}; // add $8, %rsp; ret
    void *page = pages_map(PAGE_SIZE);
    memcpy(page, code, sizeof code);
    assert_int_equal(mprotect(page, PAGE_SIZE, PROT_READ | PROT_EXEC), 0);
    expect_called_end((caller)(uintptr_t)page, RECORD_END_NO_RULE);
    (void)pages_unmap(page, PAGE_SIZE);
}

static void rules_that_are_not_followed_end_a_stack(void **state)
{
    (void)state;
    expect_called_end(call_as_if_by_rbx, RECORD_END_UNSUPPORTED);
    expect_called_end(call_as_if_odd, RECORD_END_UNSUPPORTED);
    expect_called_end(call_as_if_below, RECORD_END_UNSUPPORTED);
}

static NOINLINE void call_all_wrong(struct descent *self)
{
    static const caller callers[] = {call_as_if_larger, call_as_if_huge, call_as_if_by_rbp,
                                     call_as_if_stored};
    for (size_t i = 0; i < sizeof callers / sizeof callers[0]; i++) {
        callers[i](capture_somehow, self);
    }
    NO_TAIL_CALL;
}

static void *descend_into_wrong_code(void *ignored)
{
    struct capture *capture = make_capture();
    struct descent wrong = {.capture = capture, .arrive = call_all_wrong, .seed = 3};
    for (unsigned i = 0; i < 50; i++) {
        begin(&wrong, i % 20);
        struct descent right = {.capture = capture, .arrive = expect_whole, .seed = i};
        memset(capture->nodes, 0, sizeof capture->nodes); // they were not the comparison's
        capture->kept = 0;
        begin(&right, i % 7);
    }
    free(capture);
    return ignored;
}

static void wrong_unwind_information_never_leads_into_nowhere(void **state)
{
    (void)state;
    (void)descend_into_wrong_code(NULL);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, descend_into_wrong_code, NULL), 0);
    pthread_join(thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coroutines_end_at_their_start_and_leave_no_trace),
        cmocka_unit_test(a_thread_may_begin_on_a_coroutine),
        cmocka_unit_test(code_without_unwind_information_ends_a_stack),
        cmocka_unit_test(code_made_at_run_time_ends_a_stack),
        cmocka_unit_test(rules_that_are_not_followed_end_a_stack),
        cmocka_unit_test(wrong_unwind_information_never_leads_into_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
