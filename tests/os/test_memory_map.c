// Protects: what the process is told of its own mappings and of which pages of them hold anything:
// nothing that holds something is left out, also what is swapped, unreadable or behind a long name.
#include "os/memory_map.h"

#include "os/pages.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct search {
    uintptr_t address;
    struct memory_region found;
    size_t count;
    uintptr_t last_end;
    size_t max;
};

static bool look(void *context, const struct memory_region *region)
{
    struct search *self = context;
    assert_true(region->start < region->end);
    assert_true(region->start >= self->last_end); // in order, apart
    self->last_end = region->end;
    self->count++;
    if (self->address - region->start < region->end - region->start) self->found = *region;
    return self->count != self->max;
}

static struct memory_region region_of(const void *address)
{
    struct search search = {.address = (uintptr_t)address};
    assert_int_equal(memory_map_read(look, &search), 0);
    assert_int_not_equal(search.found.end, 0);
    return search.found;
}

static int global = 1;

static void each_kind_of_mapping_is_what_it_is(void **state)
{
    (void)state;
    struct memory_region region = region_of(__builtin_frame_address(0));
    assert_true(region.is_initial_stack && region.is_readable && region.is_writable);
    assert_true(region.is_anonymous && !region.is_shared);

    region = region_of(&global);
    assert_true(region.is_writable && !region.is_anonymous && !region.is_shared);
    assert_false(region.is_initial_stack);

    region = region_of((const void *)(uintptr_t)&region_of);
    assert_true(region.is_readable && !region.is_writable);

    char *shared = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    region = region_of(shared);
    assert_true(region.is_shared && region.is_writable);
    assert_int_equal(mprotect(shared, PAGE_SIZE, PROT_NONE), 0);
    region = region_of(shared);
    assert_true(region.is_shared && !region.is_writable && !region.is_readable);
    munmap(shared, PAGE_SIZE);
}

// A path of 4 KiB in which each byte takes four letters.
static void a_name_as_long_as_can_be_is_read(void **state)
{
    (void)state;
    char start[] = "/tmp/mete-map-XXXXXX";
    assert_non_null(mkdtemp(start));
    char part[241];
    memset(part, '\n', sizeof part - 1);
    part[sizeof part - 1] = '\0';
    int here = open(".", O_RDONLY | O_DIRECTORY);
    assert_int_equal(chdir(start), 0);
    size_t length = strlen(start);
    int depth = 0;
    for (; length + sizeof part + 40 < 4096; length += sizeof part, depth++) {
        assert_int_equal(mkdir(part, 0700), 0);
        assert_int_equal(chdir(part), 0);
    }
    int fd = open("file", O_RDWR | O_CREAT, 0600);
    assert_int_equal(ftruncate(fd, PAGE_SIZE), 0);
    char *file = mmap(NULL, PAGE_SIZE, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    struct memory_region region = region_of(file);
    assert_int_equal(region.start, (uintptr_t)file);
    assert_false(region.is_anonymous);
    munmap(file, PAGE_SIZE);
    assert_int_equal(unlink("file"), 0);
    for (; depth > 0; depth--) {
        assert_int_equal(chdir(".."), 0);
        assert_int_equal(rmdir(part), 0);
    }
    assert_int_equal(fchdir(here), 0);
    close(here);
    assert_int_equal(rmdir(start), 0);
}

static void who_has_seen_enough_sees_no_more(void **state)
{
    (void)state;
    struct search search = {.max = 3};
    assert_int_equal(memory_map_read(look, &search), 0);
    assert_int_equal(search.count, 3);
}

static void all_of_many_mappings_are_seen(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    char *pages = pages_map(COUNT * PAGE_SIZE);
    for (size_t i = 0; i < COUNT; i += 2) {
        assert_int_equal(mprotect(pages + i * PAGE_SIZE, PAGE_SIZE, PROT_READ), 0);
    }
    struct search search = {.address = (uintptr_t)pages + (COUNT - 2) * PAGE_SIZE};
    assert_int_equal(memory_map_read(look, &search), 0);
    assert_true(search.count > COUNT);
    assert_int_equal(search.found.start, search.address);
    assert_true(pages_unmap(pages, COUNT * PAGE_SIZE));
}

// --- contents

static void only_pages_that_were_touched_hold_something(void **state)
{
    (void)state;
    enum { COUNT = 2000 }; // more than one look at the kernel's list shows
    char *pages = pages_map(COUNT * PAGE_SIZE);
    const size_t touched[] = {3, 4, 5, 600, 1998, 1999};
    for (size_t i = 0; i < sizeof touched / sizeof *touched; i++) pages[touched[i] * PAGE_SIZE] = 1;
    struct page_contents contents;
    page_contents_open(&contents);
    assert_true(contents.fd >= 0);
    const uintptr_t base = (uintptr_t)pages;
    const uintptr_t end = base + COUNT * PAGE_SIZE;
    const uintptr_t runs[][2] = {{3, 6}, {600, 601}, {1998, 2000}};
    uintptr_t at = base;
    for (size_t i = 0; i < 3; i++) {
        uintptr_t first;
        uintptr_t last;
        assert_true(page_contents_next(&contents, at, end, &first, &last));
        assert_int_equal(first, base + runs[i][0] * PAGE_SIZE);
        assert_int_equal(last, base + runs[i][1] * PAGE_SIZE);
        at = last;
    }
    uintptr_t first;
    uintptr_t last;
    assert_false(page_contents_next(&contents, at, end, &first, &last));
    // From the middle of a page to the middle of another.
    at = base + 4 * PAGE_SIZE + 8;
    assert_true(page_contents_next(&contents, at, at + PAGE_SIZE, &first, &last));
    assert_int_equal(first, at);
    assert_int_equal(last, at + PAGE_SIZE);
    assert_false(page_contents_next(&contents, last, last, &first, &last)); // nothing is left
    page_contents_close(&contents);
    assert_true(pages_unmap(pages, COUNT * PAGE_SIZE));
}

static void a_files_pages_count_once_they_are_ours(void **state)
{
    (void)state;
    FILE *file = tmpfile();
    assert_int_equal(ftruncate(fileno(file), 2 * PAGE_SIZE), 0);
    volatile char *pages =
        mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fileno(file), 0);
    (void)pages[0];
    pages[PAGE_SIZE] = 1;
    struct page_contents contents;
    page_contents_open(&contents);
    const uintptr_t base = (uintptr_t)pages;
    uintptr_t first;
    uintptr_t last;
    assert_true(page_contents_next(&contents, base, base + 2 * PAGE_SIZE, &first, &last));
    assert_int_equal(first, base + PAGE_SIZE);
    assert_true(page_contents_next_shared(&contents, base, base + 2 * PAGE_SIZE, &first, &last));
    assert_int_equal(first, base);
    page_contents_close(&contents);
    munmap((void *)pages, 2 * PAGE_SIZE);
    (void)fclose(file);
}

static void without_the_kernels_word_every_page_counts(void **state)
{
    (void)state;
    struct page_contents contents = {.fd = -1};
    uintptr_t first;
    uintptr_t last;
    assert_true(page_contents_next(&contents, 4096, 3 * 4096, &first, &last));
    assert_int_equal(first, 4096);
    assert_int_equal(last, 3 * 4096);
    assert_false(page_contents_next(&contents, last, 3 * 4096, &first, &last));
}

// --- as a file

static void what_may_not_be_read_can_be(void **state)
{
    (void)state;
    char *pages = pages_map(2 * PAGE_SIZE);
    strcpy(pages, "secret");
    assert_int_equal(mprotect(pages, PAGE_SIZE, PROT_NONE), 0);
    const int fd = memory_open_own();
    assert_true(fd >= 0);
    char copy[7];
    assert_true(memory_read_own(fd, (uintptr_t)pages, copy, sizeof copy));
    assert_string_equal(copy, "secret");
    assert_true(pages_unmap(pages, 2 * PAGE_SIZE));
    assert_false(memory_read_own(fd, (uintptr_t)pages, copy, sizeof copy));
    assert_false(memory_read_own(-1, (uintptr_t)&global, copy, 1));
    memory_close_own(fd);
    memory_close_own(-1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_mapping_is_what_it_is),
        cmocka_unit_test(a_name_as_long_as_can_be_is_read),
        cmocka_unit_test(who_has_seen_enough_sees_no_more),
        cmocka_unit_test(all_of_many_mappings_are_seen),
        cmocka_unit_test(only_pages_that_were_touched_hold_something),
        cmocka_unit_test(a_files_pages_count_once_they_are_ours),
        cmocka_unit_test(without_the_kernels_word_every_page_counts),
        cmocka_unit_test(what_may_not_be_read_can_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
