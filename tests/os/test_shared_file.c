// Protects: a shared file is made once, for its owner alone, never through a link, never larger
// than the limits allow, and full file systems are told before anybody touches a page.
#include "os/shared_file.h"

#include "os/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/mete-shared-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return -1;
    (void)snprintf(path, sizeof path, "%s/file", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

static int remove_file(void **state)
{
    (void)state;
    (void)unlink(path);
    return 0;
}

static void what_is_written_to_memory_is_in_the_file(void **state)
{
    (void)state;
    struct shared_file file;
    assert_int_equal(shared_file_create(path, 4 * PAGE_SIZE, &file), 0);
    assert_true(shared_file_populate(file.bytes, 4 * PAGE_SIZE));
    memcpy(file.bytes + PAGE_SIZE, "words", 5);
    char words[5];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, words, 5, PAGE_SIZE), 5);
    assert_memory_equal(words, "words", 5);
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(status.st_size, 4 * PAGE_SIZE);
    close(fd);
    shared_file_close(&file);
    assert_null(file.bytes);
    shared_file_close(&file); // nothing any more
}

static void what_is_there_already_stays(void **state)
{
    (void)state;
    struct shared_file file;
    assert_int_equal(symlink("/nowhere", path), 0);
    assert_int_equal(shared_file_create(path, PAGE_SIZE, &file), -EEXIST);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(shared_file_create(path, PAGE_SIZE, &file), 0);
    shared_file_close(&file);
    assert_int_equal(shared_file_create(path, PAGE_SIZE, &file), -EEXIST);
    assert_int_equal(shared_file_create("/nowhere/file", PAGE_SIZE, &file), -ENOENT);
}

static int in_child_limited(int resource, size_t limit, int (*work)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit limits = {limit, limit};
        if (prlimit(0, (enum __rlimit_resource)resource, &limits, NULL)) _exit(99);
        _exit(work());
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int make_too_large(void)
{
    struct shared_file file;
    if (shared_file_size_max() != 8 * PAGE_SIZE) return 1;
    if (shared_file_create(path, 9 * PAGE_SIZE, &file) != -EFBIG) return 2;
    if (access(path, F_OK) == 0) return 3;
    return shared_file_create(path, 8 * PAGE_SIZE, &file) == 0 ? 0 : 4;
}

static void the_limit_on_files_is_asked_first(void **state)
{
    (void)state;
    assert_int_equal(in_child_limited(RLIMIT_FSIZE, 8 * PAGE_SIZE, make_too_large), 0);
}

static int ask_space(void)
{
    return shared_file_size_max() == (size_t)1 << 27 ? 0 : 1;
}

static void an_eighth_of_the_address_space_is_enough(void **state)
{
    (void)state;
    assert_int_equal(in_child_limited(RLIMIT_AS, (size_t)1 << 30, ask_space), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_is_written_to_memory_is_in_the_file, remove_file),
        cmocka_unit_test_teardown(what_is_there_already_stays, remove_file),
        cmocka_unit_test_teardown(the_limit_on_files_is_asked_first, remove_file),
        cmocka_unit_test(an_eighth_of_the_address_space_is_enough),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
