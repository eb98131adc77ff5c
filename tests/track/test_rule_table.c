// Protects: the table gives the rule that compiling gives, for any number of addresses, from
// several threads, and after it was told to forget; more than it can hold are compiled each time.
#include "track/rule_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <gnu/libc-version.h>
#include <pthread.h>
#include <stdlib.h>

enum { THREADS = 4 };

static struct code_module libc_module(void)
{
    struct code_module module;
    assert_true(code_find_module((uintptr_t)&gnu_get_libc_version, &module));
    return module;
}

// Goes through libc's code in steps; each address gives what is compiled for it. How many differ.
static size_t look_up_libc(uintptr_t step)
{
    struct code_module libc = libc_module();
    struct code_module recent = {0};
    size_t wrong = 0;
    for (uintptr_t at = libc.start + 1; at < libc.end; at += step) {
        uint32_t generation = rule_table_generation();
        struct rule expected = rule_compile(&libc, at - 1);
        for (int i = 0; i < 2; i++) {
            struct rule found = rule_table_find(at, generation, &recent);
            wrong += rule_bits(found) != rule_bits(expected);
        }
    }
    return wrong;
}

static void rules_are_those_that_compiling_gives(void **state)
{
    (void)state;
    assert_int_equal(look_up_libc(97), 0);
    assert_int_equal(look_up_libc(97), 0);
}

static void more_than_fit_are_compiled_each_time(void **state)
{
    (void)state;
    struct code_module libc = libc_module();
    assert_int_equal(look_up_libc((libc.end - libc.start) / (2 * RULE_TABLE_SLOTS)), 0);
    rule_table_forget(); // there is room again
    assert_int_equal(look_up_libc(97), 0);
    size_t kept = 0;
    for (uintptr_t at = libc.start + 1; at < libc.end; at += 97) {
        uint64_t key = rule_table_key(at, rule_table_generation());
        for (int i = 0; i < RULE_TABLE_WINDOW; i++) {
            uint64_t bits;
            kept += rule_table_read(&rule_table_window(at)[i], key, &bits);
        }
    }
    assert_int_equal(kept, (libc.end - libc.start - 2) / 97 + 1);
}

static void *look_up(void *wrong)
{
    *(size_t *)wrong = look_up_libc(131);
    return NULL;
}

static void threads_may_look_up_while_others_forget(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    size_t wrong[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, look_up, &wrong[i]), 0);
    }
    for (int i = 0; i < 1000; i++) rule_table_forget();
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(wrong[i], 0);
    }
}

static void generations_may_come_round(void **state)
{
    (void)state;
    assert_int_equal(look_up_libc(4097), 0);
    uint32_t before = rule_table_generation();
    for (int i = 0; i < 1 << 16; i++) rule_table_forget();
    assert_int_equal(rule_table_generation(), before + (1 << 16));
    uint64_t key = rule_table_key(libc_module().start + 1, rule_table_generation());
    uint64_t bits;
    assert_false(rule_table_read(rule_table_window(libc_module().start + 1), key, &bits));
    assert_int_equal(look_up_libc(4097), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_those_that_compiling_gives),
        cmocka_unit_test(more_than_fit_are_compiled_each_time),
        cmocka_unit_test(threads_may_look_up_while_others_forget),
        cmocka_unit_test(generations_may_come_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
