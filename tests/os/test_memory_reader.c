// Protects: reading one's own memory, another process's, and the edges of what is mapped: bad
// addresses are an error, never a signal.
#include "os/memory_reader.h"

#include "os/pages.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// At the same address in a forked child, with other bytes.
static char letter[64] = "from the parent";

static void both_readers_copy_our_own_bytes(void **state)
{
    (void)state;
    const struct memory_reader readers[] = {
        memory_reader_own(),
        memory_reader_process(getpid()),
    };
    for (size_t i = 0; i < 2; i++) {
        for (size_t size = 0; size <= sizeof letter; size++) {
            char copy[sizeof letter + 1];
            memset(copy, '#', sizeof copy);
            assert_int_equal(readers[i].read(&readers[i], (uintptr_t)letter, copy, size), 0);
            assert_memory_equal(copy, letter, size);
            assert_int_equal(copy[size], '#');
        }
    }
}

static void bad_addresses_are_errors_not_signals(void **state)
{
    (void)state;
    struct memory_reader reader = memory_reader_process(getpid());
    char *pages = pages_map(2 * PAGE_SIZE);
    char copy[32];
    assert_true(pages_unmap(pages + PAGE_SIZE, PAGE_SIZE));
    const uintptr_t bad[] = {
        0,
        1,
        (uintptr_t)pages + PAGE_SIZE,                   // unmapped
        (uintptr_t)pages + PAGE_SIZE - sizeof copy / 2, // half of it is
        (uintptr_t)1 << 47,                             // just past user space
        UINT64_C(0x8000000000000000),                   // no address at all
        UINT64_C(0xffffffffff600000),                   // the kernel's half
        UINTPTR_MAX - 8,
    };
    errno = 77;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(reader.read(&reader, bad[i], copy, sizeof copy), -EFAULT);
    }
    assert_int_equal(errno, 77);
    uintptr_t last = (uintptr_t)pages + PAGE_SIZE - sizeof copy;
    assert_int_equal(reader.read(&reader, last, copy, sizeof copy), 0);
    assert_true(pages_unmap(pages, PAGE_SIZE));
}

static void another_process_is_read_at_its_own_bytes(void **state)
{
    (void)state;
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        strcpy(letter, "from the child");
        (void)!write(ready[1], "", 1);
        pause();
        _exit(0);
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    struct memory_reader reader = memory_reader_process(child);
    char copy[sizeof letter];
    assert_int_equal(reader.read(&reader, (uintptr_t)letter, copy, sizeof copy), 0);
    assert_string_equal(copy, "from the child");
    assert_string_equal(letter, "from the parent");
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(reader.read(&reader, (uintptr_t)letter, copy, sizeof copy), -ESRCH);
    close(ready[0]);
    close(ready[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_readers_copy_our_own_bytes),
        cmocka_unit_test(bad_addresses_are_errors_not_signals),
        cmocka_unit_test(another_process_is_read_at_its_own_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
