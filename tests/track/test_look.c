// Protects: a count that was left by siglongjmp is taken for abandoned, so that the thread is
// counted again; one that a handler interrupted, or that called back, is not.
#include "track/look.h"

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
static bool is_abandoned;
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
    capture_set_own((uintptr_t)__start_own_code, (uintptr_t)__stop_own_code);
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
    capture_set_own(0, 0); // so that it is the signal's frame that tells
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
    look.is_running = true; // a handler interrupts it there
    ask();
    assert_false(is_abandoned);
    look_forget(&look);
    ask();
    assert_true(is_abandoned);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_was_jumped_out_of_is_abandoned, begin),
        cmocka_unit_test_setup(who_calls_back_is_not, begin),
        cmocka_unit_test_setup(who_is_interrupted_is_not, begin),
        cmocka_unit_test_setup(a_look_within_a_look_is_in_doubt, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
