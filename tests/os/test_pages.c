// Protects: fresh memory is zero and not resident, purged memory is zero again, ranges are given
// back, and want of memory is a result while everything else is a panic.
#include "os/pages.h"

#include "../base/dying.h"
#include "base/align.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>

// How many of the range's pages are in memory; -1 when part of it is not mapped.
static int resident_pages(const char *start, size_t size)
{
    unsigned char *vector = calloc(size / PAGE_SIZE, 1);
    int count = 0;
    if (mincore((void *)(uintptr_t)start, size, vector)) count = -1;
    for (size_t i = 0; count >= 0 && i < size / PAGE_SIZE; i++) count += vector[i] & 1;
    free(vector);
    return count;
}

static bool is_zero(const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i]) return false;
    }
    return true;
}

static void fresh_pages_are_zero_and_not_resident_until_touched(void **state)
{
    (void)state;
    const size_t size = 64 * PAGE_SIZE;
    char *pages = pages_map(size);
    assert_non_null(pages);
    assert_int_equal((uintptr_t)pages % PAGE_SIZE, 0);
    assert_int_equal(resident_pages(pages, size), 0);
    pages[5 * PAGE_SIZE] = 1;
    assert_in_range(resident_pages(pages, size), 1, 63);
    pages[5 * PAGE_SIZE] = 0;
    assert_true(is_zero(pages, size));
    assert_true(pages_unmap(pages, size));
    assert_int_equal(resident_pages(pages, size), -1);
}

static void aligned_pages_stand_at_a_multiple_and_waste_nothing(void **state)
{
    (void)state;
    for (size_t align = 2 * PAGE_SIZE; align <= (size_t)1 << 28; align *= 4) {
        char *pages = pages_map_aligned(3 * PAGE_SIZE, align);
        assert_non_null(pages);
        assert_int_equal((uintptr_t)pages % align, 0);
        memset(pages, 1, 3 * PAGE_SIZE);
        assert_true(pages_unmap(pages, 3 * PAGE_SIZE));
    }
}

static void purged_pages_are_zero_not_resident_and_still_there(void **state)
{
    (void)state;
    const size_t size = 16 * PAGE_SIZE;
    char *pages = pages_map(size);
    memset(pages, 0xaa, size);
    pages_purge(pages + 4 * PAGE_SIZE, 8 * PAGE_SIZE);
    assert_int_equal(resident_pages(pages + 4 * PAGE_SIZE, 8 * PAGE_SIZE), 0);
    assert_true(is_zero(pages + 4 * PAGE_SIZE, 8 * PAGE_SIZE));
    for (size_t i = 0; i < 4 * PAGE_SIZE; i++) {
        assert_int_equal((unsigned char)pages[i], 0xaa);
        assert_int_equal((unsigned char)pages[12 * PAGE_SIZE + i], 0xaa);
    }
    assert_true(pages_unmap(pages, size));
}

// The kernel refuses to drop locked pages; what relies on zeroes must get them all the same.
static void locked_pages_are_zero_after_a_purge(void **state)
{
    (void)state;
    char *pages = pages_map(2 * PAGE_SIZE);
    memset(pages, 0xaa, 2 * PAGE_SIZE);
    assert_int_equal(mlock(pages, 2 * PAGE_SIZE), 0);
    pages_purge(pages, 2 * PAGE_SIZE);
    assert_true(is_zero(pages, 2 * PAGE_SIZE));
    assert_true(pages_unmap(pages, 2 * PAGE_SIZE));
}

static void a_mapping_shrinks_and_grows_in_place(void **state)
{
    (void)state;
    // One mapping with unmapped room behind it.
    char *pages = pages_map(64 * PAGE_SIZE);
    assert_true(pages_unmap(pages + 8 * PAGE_SIZE, 56 * PAGE_SIZE));
    memset(pages, 0xaa, 8 * PAGE_SIZE);
    assert_true(pages_remap(pages, 8 * PAGE_SIZE, 4 * PAGE_SIZE));
    assert_int_equal(resident_pages(pages, 8 * PAGE_SIZE), -1);
    assert_true(pages_remap(pages, 4 * PAGE_SIZE, 8 * PAGE_SIZE));
    assert_int_equal((unsigned char)pages[4 * PAGE_SIZE - 1], 0xaa);
    assert_true(is_zero(pages + 4 * PAGE_SIZE, 4 * PAGE_SIZE));
    assert_true(pages_unmap(pages, 8 * PAGE_SIZE));
}

static void a_mapping_moves_over_its_target_with_its_bytes(void **state)
{
    (void)state;
    char *from = pages_map(4 * PAGE_SIZE);
    char *to = pages_map(64 * PAGE_SIZE);
    memset(from, 0xaa, 4 * PAGE_SIZE);
    memset(to, 0xbb, 64 * PAGE_SIZE);
    assert_int_equal(pages_remap_to(from, 4 * PAGE_SIZE, 64 * PAGE_SIZE, to), PAGES_MOVED);
    assert_int_equal(resident_pages(from, 4 * PAGE_SIZE), -1);
    for (size_t i = 0; i < 4 * PAGE_SIZE; i++) assert_int_equal((unsigned char)to[i], 0xaa);
    assert_true(is_zero(to + 4 * PAGE_SIZE, 60 * PAGE_SIZE));
    assert_true(pages_unmap(to, 64 * PAGE_SIZE));
}

// The kernel would move them one by one, and leave some here and some there when it fails.
static void a_range_of_several_mappings_stays(void **state)
{
    (void)state;
    const size_t size = 8 * PAGE_SIZE;
    char *from = pages_map(size);
    char *to = pages_map(2 * size);
    assert_int_equal(madvise(from + 2 * PAGE_SIZE, PAGE_SIZE, MADV_DONTDUMP), 0);
    memset(from, 0xaa, size);
    assert_false(pages_are_one_mapping(from, size));
    assert_true(pages_are_one_mapping(from, 2 * PAGE_SIZE));
    assert_int_equal(pages_move(from, size, to), PAGES_STAYED);
    assert_int_equal(pages_remap_to(from, size, 2 * size, to), PAGES_STAYED);
    for (size_t i = 0; i < size; i++) assert_int_equal((unsigned char)from[i], 0xaa);
    assert_true(is_zero(to, 2 * size));
    assert_int_equal(madvise(from + 2 * PAGE_SIZE, PAGE_SIZE, MADV_DODUMP), 0); // one again
    assert_int_equal(pages_move(from, size, to), PAGES_MOVED);
    for (size_t i = 0; i < size; i++) assert_int_equal((unsigned char)to[i], 0xaa);
    assert_true(is_zero(from, size));
    assert_true(pages_unmap(from, size));
    assert_true(pages_unmap(to, 2 * size));
}

static void growing_into_a_neighbour_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    char *pages = pages_map(8 * PAGE_SIZE);
    // Of another kind, so that the kernel keeps it apart.
    assert_int_equal(mprotect(pages + 4 * PAGE_SIZE, 4 * PAGE_SIZE, PROT_READ), 0);
    memset(pages, 0xaa, 4 * PAGE_SIZE);
    assert_false(pages_remap(pages, 4 * PAGE_SIZE, 8 * PAGE_SIZE));
    assert_int_equal((unsigned char)pages[4 * PAGE_SIZE - 1], 0xaa);
    assert_int_equal(pages[4 * PAGE_SIZE], 0);
    assert_true(pages_unmap(pages, 8 * PAGE_SIZE));
}

static void want_of_memory_is_null_and_leaves_errno(void **state)
{
    (void)state;
    errno = 77;
    assert_null(pages_map((size_t)1 << 62));
    assert_null(pages_map_aligned((size_t)1 << 46, (size_t)1 << 46));
    assert_null(pages_map_aligned(PTRDIFF_MAX & ~(PAGE_SIZE - 1), 2 * PAGE_SIZE));
    assert_int_equal(errno, 77);
}

static void unmap_nothing(void *ignored)
{
    (void)ignored;
    (void)pages_unmap((void *)1, PAGE_SIZE); // no page starts there
}

static void map_nothing(void *ignored)
{
    (void)ignored;
    (void)pages_map(0);
}

static void whether_a_page_can_be_read_is_told_of_any_address(void **state)
{
    (void)state;
    char *pages = pages_map(3 * PAGE_SIZE);
    assert_int_equal(mprotect(pages + PAGE_SIZE, PAGE_SIZE, PROT_NONE), 0);
    errno = 0;
    for (size_t at = 0; at < PAGE_SIZE; at += 7) {
        assert_true(pages_are_readable((uintptr_t)pages + at));
        assert_false(pages_are_readable((uintptr_t)pages + PAGE_SIZE + at));
    }
    assert_true(pages_are_readable((uintptr_t)pages + 2 * PAGE_SIZE));
    assert_true(pages_are_readable((uintptr_t)&pages));
    assert_true(pages_are_readable((uintptr_t)&pages_are_readable));
    assert_false(pages_are_readable(0));
    assert_false(pages_are_readable(UINTPTR_MAX));
    assert_false(pages_are_readable((uintptr_t)1 << 47));
    assert_false(pages_are_readable((uintptr_t)1 << 63));
    assert_true(pages_unmap(pages, 3 * PAGE_SIZE));
    assert_false(pages_are_readable((uintptr_t)pages));
    assert_int_equal(errno, 0);
}

static void a_bug_of_ours_panics(void **state)
{
    (void)state;
    expect_last_words(unmap_nothing, NULL, "mete: munmap refused a range that was mapped\n");
    expect_last_words(map_nothing, NULL, "mete: mmap refused its arguments\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fresh_pages_are_zero_and_not_resident_until_touched),
        cmocka_unit_test(aligned_pages_stand_at_a_multiple_and_waste_nothing),
        cmocka_unit_test(purged_pages_are_zero_not_resident_and_still_there),
        cmocka_unit_test(locked_pages_are_zero_after_a_purge),
        cmocka_unit_test(a_mapping_shrinks_and_grows_in_place),
        cmocka_unit_test(a_mapping_moves_over_its_target_with_its_bytes),
        cmocka_unit_test(a_range_of_several_mappings_stays),
        cmocka_unit_test(growing_into_a_neighbour_is_refused_and_changes_nothing),
        cmocka_unit_test(want_of_memory_is_null_and_leaves_errno),
        cmocka_unit_test(whether_a_page_can_be_read_is_told_of_any_address),
        cmocka_unit_test(a_bug_of_ours_panics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
