// Protects: a process that has used up its descriptors has some for us where its limits allow, and
// its limits are as they were.
#include "os/descriptor_room.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/resource.h>
#include <unistd.h>

static void use_up(rlim_t soft, rlim_t hard)
{
    const struct rlimit limit = {soft, hard};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while (dup(0) >= 0) continue;
}

static rlim_t soft_limit(void)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    return limit.rlim_cur;
}

static void where_one_is_free_nothing_happens(void **state)
{
    (void)state;
    struct descriptor_room room;
    const rlim_t before = soft_limit();
    descriptor_room_begin(&room);
    assert_false(room.is_made);
    assert_int_equal(soft_limit(), before);
    descriptor_room_end(&room);
}

static void there_is_room_as_far_as_the_hard_limit(void **state)
{
    (void)state;
    struct descriptor_room room;
    use_up(40, 45);
    descriptor_room_begin(&room);
    for (int i = 0; i < 5; i++) assert_int_equal(dup(0), 40 + i);
    assert_int_equal(dup(0), -1);
    descriptor_room_end(&room);
    assert_int_equal(soft_limit(), 40);
    for (int i = 0; i < 5; i++) close(40 + i);
    use_up(40, 40);
    descriptor_room_begin(&room);
    assert_int_equal(dup(0), -1);
    descriptor_room_end(&room);
    assert_int_equal(soft_limit(), 40);
    closefrom(3); // a sanitizer wants some at the end
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_one_is_free_nothing_happens),
        cmocka_unit_test(there_is_room_as_far_as_the_hard_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
