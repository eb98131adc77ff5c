// Protects: a thread that was taken out of what it did gives back what it held, and never what
// another thread holds.
#include "track/held_lock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

static struct held_lock lock;

static bool is_free(void)
{
    if (!held_lock_try(&lock)) return false;
    held_lock_give(&lock);
    return true;
}

static void what_a_thread_holds_it_gives_back(void **state)
{
    (void)state;
    held_lock_take(&lock);
    assert_false(held_lock_try(&lock));
    held_lock_abandon(&lock);
    assert_true(is_free());
    held_lock_abandon(&lock);
    assert_true(is_free());
}

enum { ROUNDS = 100000 };
static int counted;

static void *count(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        held_lock_take(&lock);
        counted++;
        held_lock_give(&lock);
    }
    return unused;
}

static void *take_and_give(void *unused)
{
    held_lock_take(&lock);
    held_lock_give(&lock);
    return unused;
}

// Who was taken out just before it would have woken the others does not leave them asleep.
static void who_waits_looks_again(void **state)
{
    (void)state;
    held_lock_take(&lock);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, take_and_give, NULL), 0);
    while (!(atomic_load(&lock.word) & HELD_LOCK_WAITED)) usleep(1000);
    atomic_store(&lock.word, 0); // given, and nobody woken
    pthread_join(thread, NULL);
    assert_true(is_free());
}

static void one_has_it_at_a_time(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    counted = 0;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    assert_int_equal(counted, THREADS * ROUNDS);
    assert_true(is_free());
}

struct other {
    sem_t has_taken;
    sem_t may_give;
};

static void *hold(void *argument)
{
    struct other *other = argument;
    held_lock_take(&lock);
    sem_post(&other->has_taken);
    sem_wait(&other->may_give);
    held_lock_give(&lock);
    return NULL;
}

static void what_another_holds_stays_held(void **state)
{
    (void)state;
    struct other other;
    sem_init(&other.has_taken, 0, 0);
    sem_init(&other.may_give, 0, 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, hold, &other), 0);
    sem_wait(&other.has_taken);
    held_lock_abandon(&lock);
    bool was_free = is_free();
    sem_post(&other.may_give);
    pthread_join(thread, NULL);
    assert_false(was_free);
    assert_true(is_free());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_thread_holds_it_gives_back),
        cmocka_unit_test(who_waits_looks_again),
        cmocka_unit_test(one_has_it_at_a_time),
        cmocka_unit_test(what_another_holds_stays_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
