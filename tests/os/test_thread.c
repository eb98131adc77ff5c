// Protects: the exit callback runs once in each thread that asked, and again where it asked again;
// the brief thread does its work beside us, one at a time, with every signal blocked, and is gone
// after it.
#include "os/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 8 };

static atomic_int exits;
static __thread int exits_here;
static __thread int watches_left;

static void note_exit(void)
{
    exits++;
    exits_here++;
    if (watches_left-- > 0) thread_watch_exit();
}

static void *watch(void *again)
{
    watches_left = *(int *)again;
    thread_watch_exit();
    return NULL;
}

static void *mind_own_business(void *ignored)
{
    return ignored;
}

static void run_threads(void *(*body)(void *), void *argument)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, body, argument), 0);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

static void each_watching_thread_calls_back_once(void **state)
{
    (void)state;
    thread_set_exit_callback(note_exit);
    exits = 0;
    run_threads(watch, &(int){0});
    assert_int_equal(exits, THREADS);
    assert_int_equal(exits_here, 0); // not in ours
}

static void asking_again_from_the_callback_gives_another_one(void **state)
{
    (void)state;
    exits = 0;
    run_threads(watch, &(int){2});
    assert_int_equal(exits, 3 * THREADS);
}

static void a_thread_that_did_not_ask_is_left_alone(void **state)
{
    (void)state;
    exits = 0;
    run_threads(mind_own_business, NULL);
    assert_int_equal(exits, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_watching_thread_calls_back_once),
        cmocka_unit_test(asking_again_from_the_callback_gives_another_one),
        cmocka_unit_test(a_thread_that_did_not_ask_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
