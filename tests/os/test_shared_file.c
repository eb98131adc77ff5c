// Protects: a shared file is made once, for its owner alone, never through a link, never larger
// than the limits allow; its pieces grow where they are, take no address space that they do not use
// and nothing that is others'; full file systems are told before anybody touches a page.
#include "os/shared_file.h"

#include "os/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

// One piece, mapped as a whole.
static int create(size_t size, struct shared_file *file_out)
{
    const struct shared_piece piece = {size, size};
    return shared_file_create(path, &piece, 1, file_out);
}

static void what_is_written_to_memory_is_in_the_file(void **state)
{
    (void)state;
    struct shared_file file;
    assert_int_equal(create(4 * PAGE_SIZE, &file), 0);
    assert_true(pages_populate(file.bytes, 4 * PAGE_SIZE));
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
    assert_int_equal(create(PAGE_SIZE, &file), -EEXIST);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(create(PAGE_SIZE, &file), 0);
    shared_file_close(&file);
    assert_int_equal(create(PAGE_SIZE, &file), -EEXIST);
    const struct shared_piece piece = {PAGE_SIZE, PAGE_SIZE};
    assert_int_equal(shared_file_create("/nowhere/file", &piece, 1, &file), -ENOENT);
}

static const struct shared_piece three[] = {
    {2 * PAGE_SIZE, 2 * PAGE_SIZE},
    {(size_t)64 << 20, PAGE_SIZE},
    {(size_t)64 << 20, PAGE_SIZE},
};

// The thread sanitizer has the rest of the address space: no place has nothing behind it.
#define PIECES_ARE_APART true
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#undef PIECES_ARE_APART
#define PIECES_ARE_APART false
#endif
#endif

// Says so where they are not.
static bool are_apart(void)
{
    if (!PIECES_ARE_APART) print_message("pieces are mapped as a whole here\n");
    return PIECES_ARE_APART;
}

// What cases about pieces that lie apart begin with. False where there is nothing to be tested.
static bool create_three(struct shared_file *file_out)
{
    if (!are_apart()) return false;
    assert_int_equal(shared_file_create(path, three, 3, file_out), 0);
    return true;
}

static size_t address_space(void)
{
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%zu", &pages), 1);
    assert_int_equal(fclose(file), 0);
    return pages * PAGE_SIZE;
}

static void pieces_grow_where_they_are_and_take_no_more_than_they_use(void **state)
{
    (void)state;
    struct shared_file file;
    size_t before = address_space();
    if (!create_three(&file)) return;
    assert_int_equal(file.size, three[0].room + three[1].room + three[2].room);
    assert_true(address_space() - before < 1 << 20);
    char *start = shared_file_piece(&file, 1);
    assert_ptr_equal(start, file.bytes + 2 * PAGE_SIZE);
    for (size_t pages = 2; pages <= 64; pages += pages / 2) {
        assert_true(shared_file_extend(&file, 1, pages * PAGE_SIZE));
        assert_true(pages_populate(start, pages * PAGE_SIZE));
        start[(pages - 1) * PAGE_SIZE] = (char)pages;
        assert_true(shared_file_extend(&file, 1, PAGE_SIZE)); // is there
    }
    assert_true(address_space() - before < 1 << 20);
    assert_false(shared_file_extend(&file, 1, three[1].room + PAGE_SIZE));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    for (size_t pages = 2; pages <= 64; pages += pages / 2) {
        char byte = 0;
        assert_int_equal(pread(fd, &byte, 1, (off_t)((1 + pages) * PAGE_SIZE)), 1);
        assert_int_equal(byte, (char)pages);
    }
    close(fd);
    shared_file_close(&file);
    assert_true(address_space() - before < 1 << 20);
}

// What a program has put there stays what it is.
static void a_piece_does_not_grow_over_what_is_others(void **state)
{
    (void)state;
    struct shared_file file;
    if (!create_three(&file)) return;
    char *behind = shared_file_piece(&file, 1) + 3 * PAGE_SIZE;
    void *own = mmap(behind, PAGE_SIZE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    assert_ptr_equal(own, behind);
    *behind = 'x';
    assert_false(shared_file_extend(&file, 1, 4 * PAGE_SIZE));
    assert_true(shared_file_extend(&file, 1, 3 * PAGE_SIZE));
    assert_false(shared_file_extend(&file, 1, 4 * PAGE_SIZE));
    assert_int_equal(*behind, 'x');
    assert_true(shared_file_extend(&file, 2, 4 * PAGE_SIZE));
    shared_file_close(&file);
    assert_int_equal(*behind, 'x');
    assert_int_equal(munmap(own, PAGE_SIZE), 0);
}

// A handler that jumps may leave it between the two.
static void a_piece_that_grew_and_was_not_told_goes_on(void **state)
{
    (void)state;
    struct shared_file file;
    if (!create_three(&file)) return;
    struct shared_file before = file;
    assert_true(shared_file_extend(&file, 1, 4 * PAGE_SIZE));
    file = before;
    assert_true(shared_file_extend(&file, 1, 4 * PAGE_SIZE));
    assert_int_equal(file.pieces[1].mapped, 4 * PAGE_SIZE);
    assert_true(shared_file_extend(&file, 1, 5 * PAGE_SIZE));
    shared_file_close(&file);
}

// As in a forked child, whose parent's is still mapped.
static void several_files_lie_apart(void **state)
{
    (void)state;
    if (!are_apart()) return;
    enum { FILES = 20 };
    static struct shared_file files[FILES];
    for (int i = 0; i < FILES; i++) {
        assert_int_equal(shared_file_create(path, three, 3, &files[i]), 0);
        assert_true(shared_file_extend(&files[i], 1, 64 * PAGE_SIZE));
        assert_true(pages_populate(shared_file_piece(&files[i], 1), 64 * PAGE_SIZE));
        *shared_file_piece(&files[i], 1) = (char)i;
        assert_int_equal(unlink(path), 0);
    }
    // The last find no place of their own, and are mapped as a whole.
    assert_int_equal(files[0].pieces[2].mapped, PAGE_SIZE);
    assert_int_equal(files[FILES - 1].pieces[2].mapped, three[2].room);
    for (int i = 0; i < FILES; i++) {
        assert_int_equal(*shared_file_piece(&files[i], 1), (char)i);
        shared_file_close(&files[i]);
    }
}

static void what_is_detached_is_private_and_zero(void **state)
{
    (void)state;
    struct shared_file file;
    if (!create_three(&file)) return;
    char *start = shared_file_piece(&file, 1);
    assert_true(pages_populate(start, PAGE_SIZE));
    *start = 'x';
    shared_file_detach(&file);
    assert_int_equal(*start, 0);
    *start = 'y';
    assert_false(shared_file_extend(&file, 1, 2 * PAGE_SIZE));
    char byte = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(pread(fd, &byte, 1, (off_t)three[0].room), 1);
    assert_int_equal(byte, 'x');
    close(fd);
    shared_file_close(&file);
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
    if (shared_file_limit().size != 8 * PAGE_SIZE) return 1;
    if (create(9 * PAGE_SIZE, &file) != -EFBIG) return 2;
    if (access(path, F_OK) == 0) return 3;
    if (shared_file_limit().error != -EFBIG) return 5;
    return create(8 * PAGE_SIZE, &file) == 0 ? 0 : 4;
}

static void the_limit_on_files_is_asked_first(void **state)
{
    (void)state;
    assert_int_equal(in_child_limited(RLIMIT_FSIZE, 8 * PAGE_SIZE, make_too_large), 0);
}

// The program's own limit, set later.
static int grow_within_limit(void)
{
    struct shared_file file;
    const struct rlimit limits = {address_space() + ((size_t)4 << 20), RLIM_INFINITY};
    if (shared_file_create(path, three, 3, &file)) return 1;
    if (setrlimit(RLIMIT_AS, &limits)) return 99;
    if (!shared_file_extend(&file, 1, (size_t)2 << 20)) return 2;
    if (shared_file_extend(&file, 1, (size_t)8 << 20)) return 3;
    return pages_populate(shared_file_piece(&file, 1), (size_t)2 << 20) ? 0 : 4;
}

static void a_limit_on_address_space_that_comes_later_stops_growth(void **state)
{
    (void)state;
    if (!are_apart()) return;
    assert_int_equal(in_child_limited(RLIMIT_AS, RLIM_INFINITY, grow_within_limit), 0);
}

static int ask_space(void)
{
    const struct shared_file_limit limit = shared_file_limit();
    return limit.size == (size_t)1 << 27 && limit.error == -ENOMEM ? 0 : 1;
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
        cmocka_unit_test_teardown(pieces_grow_where_they_are_and_take_no_more_than_they_use,
                                  remove_file),
        cmocka_unit_test_teardown(a_piece_does_not_grow_over_what_is_others, remove_file),
        cmocka_unit_test_teardown(a_piece_that_grew_and_was_not_told_goes_on, remove_file),
        cmocka_unit_test_teardown(several_files_lie_apart, remove_file),
        cmocka_unit_test_teardown(what_is_detached_is_private_and_zero, remove_file),
        cmocka_unit_test_teardown(the_limit_on_files_is_asked_first, remove_file),
        cmocka_unit_test_teardown(a_limit_on_address_space_that_comes_later_stops_growth,
                                  remove_file),
        cmocka_unit_test(an_eighth_of_the_address_space_is_enough),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
