// Protects: a count that was left by siglongjmp is taken for abandoned, so that the thread is
// counted again; one that a handler interrupted, or that called back, is not.
#include "track/look.h"

#include "track/own_code.h"

#include "full_unwind.h"

#include "base/attributes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>

static struct look look;
static uintptr_t busy_at;
static volatile bool is_abandoned; // raise() is said to call nothing of ours
static sigjmp_buf way_out;

static NOINLINE void ask(void)
{
    is_abandoned = look_is_abandoned(&look, busy_at);
}

// mete's own code, as far as the look knows: it is busy, and calls something.
__attribute__((section("own_code"))) static NOINLINE void count(void (*call)(void))
{
    busy_at = (uintptr_t)__builtin_frame_address(0);
    call();
    NO_TAIL_CALL; // this frame stays meanwhile
}

static int begin(void **state)
{
    (void)state;
    extern const char __start_own_code[];
    extern const char __stop_own_code[];
    own_code_set((uintptr_t)__start_own_code, (uintptr_t)__stop_own_code);
    look_forget(&look);
    is_abandoned = false;
    return 0;
}

static void jump(void)
{
    siglongjmp(way_out, 1);
}

static void what_was_jumped_out_of_is_abandoned(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        is_abandoned = false;
        if (sigsetjmp(way_out, 1) == 0) count(jump);
        ask();
        assert_true(is_abandoned);
    }
}

static void who_calls_back_is_not(void **state)
{
    (void)state;
    is_abandoned = true;
    count(ask);
    assert_false(is_abandoned);
}

static void handle(int signal)
{
    (void)signal;
    ask();
}

static void raise_it(void)
{
    raise(SIGUSR1);
}

static void who_is_interrupted_is_not(void **state)
{
    (void)state;
    own_code_set(0, 0); // so that it is the signal's frame that tells
    signal(SIGUSR1, handle);
    is_abandoned = true;
    count(raise_it);
    assert_false(is_abandoned);
    signal(SIGUSR1, SIG_DFL);
}

static void a_look_within_a_look_is_in_doubt(void **state)
{
    (void)state;
    if (sigsetjmp(way_out, 1) == 0) count(jump);
    look.running_at = UINTPTR_MAX; // a handler interrupts it there, further up
    ask();
    assert_false(is_abandoned);
    look_forget(&look);
    ask();
    assert_true(is_abandoned);
}

static void a_look_that_was_left_itself_is_over(void **state)
{
    (void)state;
    if (sigsetjmp(way_out, 1) == 0) count(jump);
    ask(); // it knows the stack since
    is_abandoned = false;
    look.running_at = (uintptr_t)__builtin_frame_address(0) - 4096; // of frames that are gone
    ask();
    assert_true(is_abandoned);
    assert_int_equal(look.running_at, 0);
}

static void handle_elsewhere(int signal)
{
    (void)signal;
    look.running_at = (uintptr_t)__builtin_frame_address(0) - 4096;
    ask();
}

// An alternate stack may lie within the thread's own, above whom the handler interrupted.
static void on_an_alternate_stack_it_is_in_doubt(void **state)
{
    (void)state;
    static char room[1 << 17];
    char within[1 << 16];
    char *const places[] = {room, within};
    if (sigsetjmp(way_out, 1) == 0) count(jump);
    ask();
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const stack_t stack = {.ss_sp = places[i], .ss_size = sizeof within};
        const stack_t none = {.ss_flags = SS_DISABLE};
        const struct sigaction action = {.sa_handler = handle_elsewhere, .sa_flags = SA_ONSTACK};
        assert_int_equal(sigaltstack(&stack, NULL), 0);
        assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
        is_abandoned = true;
        raise(SIGUSR1);
        assert_false(is_abandoned);
        look.running_at = 0;
        assert_int_equal(sigaltstack(&none, NULL), 0);
    }
    signal(SIGUSR1, SIG_DFL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_was_jumped_out_of_is_abandoned, begin),
        cmocka_unit_test_setup(who_calls_back_is_not, begin),
        cmocka_unit_test_setup(who_is_interrupted_is_not, begin),
        cmocka_unit_test_setup(a_look_within_a_look_is_in_doubt, begin),
        cmocka_unit_test_setup(a_look_that_was_left_itself_is_over, begin),
        cmocka_unit_test_setup(on_an_alternate_stack_it_is_in_doubt, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
