// Protects: the list of what is mete's own: a range stands there from its mapping to its unmapping,
// exactly, and a full list costs nothing but the note.
#include "os/own_pages.h"

#include "os/pages.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>

static bool is_noted(const void *address, size_t size)
{
    for (size_t i = 0; i < OWN_PAGES_MAX; i++) {
        uintptr_t start;
        uintptr_t end;
        if (own_pages_at(i, &start, &end) && start == (uintptr_t)address) {
            return end - start == size;
        }
    }
    return false;
}

static size_t count_noted(void)
{
    size_t count = 0;
    uintptr_t start;
    uintptr_t end;
    for (size_t i = 0; i < OWN_PAGES_MAX; i++) count += own_pages_at(i, &start, &end);
    return count;
}

static void a_range_is_noted_while_it_is_mapped(void **state)
{
    (void)state;
    char *pages = own_pages_map(3 * PAGE_SIZE);
    assert_non_null(pages);
    memset(pages, 1, 3 * PAGE_SIZE);
    assert_true(is_noted(pages, 3 * PAGE_SIZE));
    own_pages_unmap(pages, 3 * PAGE_SIZE);
    assert_false(is_noted(pages, 3 * PAGE_SIZE));
    assert_false(pages_are_readable((uintptr_t)pages));
}

static void what_was_mapped_otherwise_can_be_noted(void **state)
{
    (void)state;
    char *pages = pages_map(2 * PAGE_SIZE);
    own_pages_note(pages, 2 * PAGE_SIZE);
    assert_true(is_noted(pages, 2 * PAGE_SIZE));
    own_pages_forget(pages, PAGE_SIZE); // another one, which is not there
    assert_true(is_noted(pages, 2 * PAGE_SIZE));
    own_pages_forget(pages, 2 * PAGE_SIZE);
    assert_int_equal(count_noted(), 0);
    assert_true(pages_unmap(pages, 2 * PAGE_SIZE));
}

static void a_full_list_takes_no_more_and_comes_free_again(void **state)
{
    (void)state;
    static char places[OWN_PAGES_MAX + 10];
    for (size_t i = 0; i < sizeof places; i++) own_pages_note(&places[i], 1);
    assert_int_equal(count_noted(), OWN_PAGES_MAX);
    char *pages = own_pages_map(PAGE_SIZE); // all the same
    assert_non_null(pages);
    assert_false(is_noted(pages, PAGE_SIZE));
    own_pages_unmap(pages, PAGE_SIZE);
    for (size_t i = 0; i < sizeof places; i++) own_pages_forget(&places[i], 1);
    assert_int_equal(count_noted(), 0);
    own_pages_note(&places[0], 1);
    assert_true(is_noted(&places[0], 1));
    own_pages_forget(&places[0], 1);
}

enum { ROUNDS = 2000, THREADS = 4 };

static void *come_and_go(void *argument)
{
    (void)argument;
    for (int i = 0; i < ROUNDS; i++) {
        size_t size = (size_t)(1 + i % 4) * PAGE_SIZE;
        char *pages = own_pages_map(size);
        if (!pages || !is_noted(pages, size)) return "a range was not noted";
        own_pages_unmap(pages, size);
    }
    return NULL;
}

static void threads_do_not_disturb_each_other(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, NULL), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *fault;
        assert_int_equal(pthread_join(threads[i], &fault), 0);
        assert_null(fault);
    }
    assert_int_equal(count_noted(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_range_is_noted_while_it_is_mapped),
        cmocka_unit_test(what_was_mapped_otherwise_can_be_noted),
        cmocka_unit_test(a_full_list_takes_no_more_and_comes_free_again),
        cmocka_unit_test(threads_do_not_disturb_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
