// Protects: the set of blocks: who was added is there, neighbours are not, also among threads.
#include "track/block_set.h"

#include "os/own_pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>

static const uintptr_t places[] = {
    GRANULE, 0x10000, 0x10010, 0x1fffffff0, 0x200000000, 0x7f0000000000, 0x7ffffffffff0,
};
enum { PLACES = sizeof places / sizeof *places };

static void members_are_in_it_and_neighbours_are_not(void **state)
{
    (void)state;
    static struct block_set set; // zero
    assert_true(block_set_is_unused(&set));
    for (size_t i = 0; i < PLACES; i++) assert_false(block_set_has(&set, places[i]));
    assert_true(block_set_is_unused(&set)); // asking makes nothing
    for (size_t i = 0; i < PLACES; i++) assert_true(block_set_add(&set, places[i]));
    assert_false(block_set_is_unused(&set));
    for (size_t i = 0; i < PLACES; i++) assert_true(block_set_has(&set, places[i]));
    assert_false(block_set_has(&set, 2 * GRANULE));
    assert_false(block_set_has(&set, 0x10020));
    assert_false(block_set_has(&set, 0x7f0000000010));
    block_set_remove(&set, 0x10000);
    block_set_remove(&set, 0x10020); // none
    assert_false(block_set_has(&set, 0x10000));
    assert_true(block_set_has(&set, 0x10010));
    block_set_reset(&set);
    assert_true(block_set_is_unused(&set));
    for (size_t i = 0; i < PLACES; i++) assert_false(block_set_has(&set, places[i]));
    uintptr_t start;
    uintptr_t end;
    for (size_t i = 0; i < OWN_PAGES_MAX; i++) assert_false(own_pages_at(i, &start, &end));
}

enum { THREADS = 4, MEMBERS = 20000 };
static struct block_set shared;

// Each thread's blocks lie between the others'.
static uintptr_t member(size_t thread, size_t i)
{
    return 0x7e0000000000 + (i * THREADS + thread) * GRANULE;
}

static void *add_and_remove(void *argument)
{
    size_t thread = (size_t)(uintptr_t)argument;
    for (size_t i = 0; i < MEMBERS; i++) {
        if (!block_set_add(&shared, member(thread, i))) return "no memory";
        if (i % 3 == 0) block_set_remove(&shared, member(thread, i));
    }
    return NULL;
}

static void threads_do_not_disturb_each_other(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, add_and_remove, (void *)i), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *fault;
        assert_int_equal(pthread_join(threads[i], &fault), 0);
        assert_null(fault);
    }
    for (size_t i = 0; i < MEMBERS; i++) {
        for (size_t j = 0; j < THREADS; j++) {
            assert_int_equal(block_set_has(&shared, member(j, i)), i % 3 != 0);
        }
    }
    block_set_reset(&shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_in_it_and_neighbours_are_not),
        cmocka_unit_test(threads_do_not_disturb_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
