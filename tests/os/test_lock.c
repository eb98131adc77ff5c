// Protects: one thread at a time, nobody sleeps for ever, and what was written under the lock is
// seen by the next holder (which the thread sanitizer verifies too).
#include "os/lock.h"

#include "os/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>

enum { THREADS = 4, ROUNDS = 20000 };

struct counter {
    struct lock lock;
    unsigned inside; // threads between take and give
    unsigned count;
    unsigned clashes;
};

static void *count_up(void *argument)
{
    struct counter *self = argument;
    for (unsigned i = 0; i < ROUNDS; i++) {
        lock_take(&self->lock);
        if (self->inside++ != 0) self->clashes++;
        self->count++;
        if (i % 512 == 0) sched_yield(); // so that others find it taken, and wait in the kernel
        self->inside--;
        lock_give(&self->lock);
    }
    return NULL;
}

static void threads_exclude_each_other(void **state)
{
    (void)state;
    struct counter counter = {0};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, &counter), 0);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    assert_int_equal(counter.clashes, 0);
    assert_int_equal(counter.count, THREADS * ROUNDS);
    assert_int_equal(counter.lock.word, 0);
}

static void a_zeroed_lock_is_free_and_a_taken_one_is_not(void **state)
{
    (void)state;
    struct lock lock = {0};
    assert_true(lock_try(&lock));
    assert_false(lock_try(&lock));
    lock_give(&lock);
    lock_take(&lock);
    assert_false(lock_try(&lock));
    lock_give(&lock);
    assert_int_equal(lock.word, 0);
}

static void *take_and_count(void *argument)
{
    struct counter *self = argument;
    lock_take(&self->lock);
    self->count++;
    lock_give(&self->lock);
    return NULL;
}

// The holder keeps it far longer than anybody spins.
static void everybody_who_waits_in_the_kernel_is_woken(void **state)
{
    (void)state;
    struct counter counter = {0};
    pthread_t threads[THREADS];
    lock_take(&counter.lock);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_count, &counter), 0);
    }
    while (atomic_load(&counter.lock.word) != 2) clock_sleep_ms(1); // somebody waits there
    clock_sleep_ms(20);
    assert_int_equal(counter.count, 0);
    lock_give(&counter.lock);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    assert_int_equal(counter.count, THREADS);
    assert_int_equal(counter.lock.word, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zeroed_lock_is_free_and_a_taken_one_is_not),
        cmocka_unit_test(threads_exclude_each_other),
        cmocka_unit_test(everybody_who_waits_in_the_kernel_is_woken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
