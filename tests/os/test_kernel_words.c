// Protects: pointers that the kernel alone has: each is seen, of however many descriptors.
#include "os/kernel_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { WATCHED = 700 }; // more than a page of the list

struct search {
    uintptr_t first;
    bool is_seen[WATCHED];
    size_t others;
};

static void look(void *context, uintptr_t word)
{
    struct search *self = context;
    const uintptr_t index = word - self->first;
    if (index < WATCHED) {
        self->is_seen[index] = true;
    } else {
        self->others++;
    }
}

static void what_epoll_keeps_is_seen(void **state)
{
    (void)state;
    int epolls[2] = {epoll_create1(0), epoll_create1(0)};
    int watched[WATCHED];
    struct search search = {.first = 0x7f0123456000};
    for (size_t i = 0; i < WATCHED; i++) {
        watched[i] = eventfd(0, 0);
        assert_true(watched[i] >= 0);
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = search.first + i};
        assert_int_equal(epoll_ctl(epolls[i % 2], EPOLL_CTL_ADD, watched[i], &event), 0);
    }
    kernel_words_read(look, &search);
    for (size_t i = 0; i < WATCHED; i++) assert_true(search.is_seen[i]);
    for (size_t i = 0; i < WATCHED; i++) close(watched[i]);
    memset(search.is_seen, 0, sizeof search.is_seen);
    kernel_words_read(look, &search);
    for (size_t i = 0; i < WATCHED; i++) assert_false(search.is_seen[i]);
    close(epolls[0]);
    close(epolls[1]);
}

static void what_a_timer_sends_is_seen(void **state)
{
    (void)state;
    timer_t timer;
    struct search search = {.first = 0x7f0123456000};
    struct sigevent event = {
        .sigev_notify = SIGEV_SIGNAL,
        .sigev_signo = SIGUSR1,
        .sigev_value.sival_ptr = (void *)(search.first + 5),
    };
    assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    kernel_words_read(look, &search);
    const bool has_list = access("/proc/self/timers", R_OK) == 0;
    assert_int_equal(search.is_seen[5], has_list);
    assert_int_equal(timer_delete(timer), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_epoll_keeps_is_seen),
        cmocka_unit_test(what_a_timer_sends_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
