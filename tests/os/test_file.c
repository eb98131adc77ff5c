// Protects: files are read and written whole, and what is no file is told apart without waiting.
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void what_is_written_can_be_read_in_parts(void **state)
{
    (void)state;
    const int fd = memfd_create("file", MFD_CLOEXEC);
    assert_int_equal(file_write(fd, "hello world", 11), 0);
    char bytes[16] = "";
    assert_int_equal(file_read_at(fd, 6, bytes, 5), 5);
    assert_string_equal(bytes, "world");
    assert_int_equal(file_read_at(fd, 8, bytes, sizeof bytes), 3); // the file's end
    assert_int_equal(file_read_at(fd, 11, bytes, 1), 0);
    assert_int_equal(file_read_at(fd, UINT64_MAX - 3, bytes, 16), 0);
    file_close(fd);
    assert_int_equal(file_read_at(-1, 0, bytes, 1), -EBADF);
    assert_int_equal(file_write(-1, bytes, 1), -EBADF);
}

static void holes_take_no_space(void **state)
{
    (void)state;
    const int fd = memfd_create("file", MFD_CLOEXEC);
    uint64_t size = 0;
    uint64_t space = 0;
    assert_int_equal(file_write(fd, "x", 1), 0);
    assert_int_equal(file_size(fd, &size, &space), 0);
    assert_int_equal(size, 1);
    assert_int_equal(space, 1);
    assert_int_equal(ftruncate(fd, 1 << 24), 0);
    assert_int_equal(file_size(fd, &size, &space), 0);
    assert_int_equal(size, 1 << 24);
    assert_true(space > 0 && space < 1 << 24);
    file_close(fd);
    assert_int_equal(file_size(-1, &size, &space), -EBADF);
}

static void only_regular_files_are_opened_and_no_pipe_is_waited_for(void **state)
{
    (void)state;
    int fd = -1;
    char folder[] = "/tmp/test_file_XXXXXX";
    assert_non_null(mkdtemp(folder));
    char path[64];
    (void)snprintf(path, sizeof path, "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(file_open(path, &fd), -ESPIPE);
    assert_int_equal(file_open(folder, &fd), -EISDIR);
    (void)unlink(path);
    assert_int_equal(file_open(path, &fd), -ENOENT);
    assert_int_equal(file_open("/dev/null", &fd), -ESPIPE);
    assert_int_equal(fd, -1);
    (void)rmdir(folder);
    assert_int_equal(file_open("/proc/self/exe", &fd), 0);
    file_close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_can_be_read_in_parts),
        cmocka_unit_test(holes_take_no_space),
        cmocka_unit_test(only_regular_files_are_opened_and_no_pipe_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
