// Protects: what was added is found, whatever the order and however often it grew, also by readers
// that look while it grows.
#include "track/index.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void what_was_added_is_found_and_nothing_else(void **state)
{
    (void)state;
    struct index index = {.table = NULL};
    assert_int_equal(index_find(&index, 1, 2), (uint32_t)INDEX_NONE);
    for (uint32_t i = 0; i < 100000; i++) {
        assert_int_equal(index_find(&index, i * UINT64_C(16), i % 7), (uint32_t)INDEX_NONE);
        assert_true(index_add(&index, i * UINT64_C(16), i % 7, i));
    }
    for (uint32_t i = 0; i < 100000; i++) {
        assert_int_equal(index_find(&index, i * UINT64_C(16), i % 7), i);
        assert_int_equal(index_find(&index, i * UINT64_C(16), i % 7 + 1), (uint32_t)INDEX_NONE);
        assert_int_equal(index_find(&index, i * UINT64_C(16) + 1, i % 7), (uint32_t)INDEX_NONE);
    }
    index_drop(&index);
    assert_int_equal(index_find(&index, 0, 0), (uint32_t)INDEX_NONE);
}

enum { SHARED_COUNT = 200000 };
static struct index shared_index;
static _Atomic uint32_t shared_added;

static void *read_shared(void *ignored)
{
    (void)ignored;
    uintptr_t wrong = 0;
    uint32_t added = 0;
    while (added < SHARED_COUNT) {
        added = atomic_load_explicit(&shared_added, memory_order_acquire);
        for (uint32_t i = added > 50 ? added - 50 : 0; i < added; i++) {
            wrong += index_find(&shared_index, i, 3) != i;
        }
    }
    return (void *)wrong;
}

static void readers_find_all_that_was_there_while_it_grows(void **state)
{
    (void)state;
    pthread_t readers[2];
    for (int i = 0; i < 2; i++) pthread_create(&readers[i], NULL, read_shared, NULL);
    for (uint32_t i = 0; i < SHARED_COUNT; i++) {
        assert_true(index_add(&shared_index, i, 3, i));
        atomic_store_explicit(&shared_added, i + 1, memory_order_release);
    }
    for (int i = 0; i < 2; i++) {
        void *wrong;
        pthread_join(readers[i], &wrong);
        assert_null(wrong);
    }
}

// As in the child of a handler that interrupted who was adding.
static void what_is_added_to_the_renewed_stays_out_of_the_old(void **state)
{
    (void)state;
    struct index index = {.table = NULL};
    assert_true(index_renew(&index));
    for (uint32_t i = 0; i < 1000; i++) assert_true(index_add(&index, i, 1, i));
    const struct index old = {.table = atomic_load(&index.table)};
    assert_true(index_renew(&index));
    assert_ptr_not_equal(atomic_load(&index.table), atomic_load(&old.table));
    assert_int_equal(index_count(&index), 1000);
    assert_true(index_add(&index, 1000, 1, 1000));
    for (uint32_t i = 0; i <= 1000; i++) assert_int_equal(index_find(&index, i, 1), i);
    assert_int_equal(index_find(&old, 999, 1), 999);
    assert_int_equal(index_find(&old, 1000, 1), (uint32_t)INDEX_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_found_and_nothing_else),
        cmocka_unit_test(readers_find_all_that_was_there_while_it_grows),
        cmocka_unit_test(what_is_added_to_the_renewed_stays_out_of_the_old),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
