// Protects: that the marks' own short way from an address to its block says what the heap says; and
// that large pages are asked for where marks of small blocks fill them, and nowhere else: a look
// must not take memory for blocks that are not there.
#include "track/leak_test.h"

#include "heap/locate.h"
#include "track/leak_marks.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct leak_marks marks;

// --- blocks

static void expect_block(uintptr_t address)
{
    uintptr_t start;
    size_t size;
    struct located block;
    const bool is_found = leak_marks_find(&marks, address, &start, &size);
    const bool is_there = locate_block(address, &block);
    if (is_found && is_there) {
        assert_int_equal(start, block.start);
        assert_int_equal(size, locate_size(&block));
    } else if (is_found) { // behind a span's last: nothing is ever live there
        const struct leak_mark mark = leak_marks_of(&marks, start);
        if (mark.bit == span_bit(start)) assert_int_equal(mark.cell->live & mark.bit, 0);
    } else {
        assert_true(!is_there || !span_is_small(block.span));
    }
}

static void small_blocks_are_found_where_the_heap_says(void **state)
{
    (void)state;
    enum { COUNT = 4000 };
    void **blocks = calloc(COUNT, sizeof *blocks);
    assert_non_null(blocks);
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = block_of(1 + random_number() % (i % 8 == 0 ? 200000 : 3000));
    }
    for (size_t i = 0; i < COUNT; i += 3) {
        heap_free(blocks[i]);
        blocks[i] = NULL;
    }
    assert_true(leak_marks_begin(&marks));
    for (size_t i = 0; i < COUNT; i++) {
        if (!blocks[i]) continue;
        const size_t size = heap_block_size(blocks[i]);
        const uintptr_t start = (uintptr_t)blocks[i];
        for (uintptr_t at = start; at < start + size; at += size < 64 ? 1 : size / 7) {
            expect_block(at);
        }
        expect_block(start - 1);
        expect_block(start + size - 1);
        expect_block(start + size);
        const struct leak_mark mark = leak_marks_of(&marks, start);
        assert_true(mark.cell->live & mark.bit);
    }
    // Every page of the heap, with blocks and without.
    uintptr_t low;
    uintptr_t high;
    span_map_bounds(&low, &high);
    for (uintptr_t at = low; at < high; at += 4096 - 16) expect_block(at);
    leak_marks_end(&marks);
    for (size_t i = 0; i < COUNT; i++) heap_free(blocks[i]);
    free(blocks);
}

// --- large pages

static const uintptr_t range_size = (uintptr_t)1 << LEAK_RANGE_SHIFT;

// Whether large pages were asked for there.
static bool is_advised(uintptr_t address)
{
    char line[512];
    bool is_there = false;
    bool is_advised = false;
    FILE *maps = fopen("/proc/self/smaps", "re");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps)) {
        unsigned long start;
        unsigned long end;
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2) {
            is_there = start <= address && address < end;
        } else if (is_there && strncmp(line, "VmFlags:", 8) == 0) {
            is_advised = strstr(line, " hg") != NULL;
            break;
        }
    }
    (void)fclose(maps);
    return is_advised;
}

static size_t small_pages_in(uintptr_t start)
{
    size_t count = 0;
    for (uintptr_t at = start; at < start + range_size; at += 4096) {
        const struct span *span = span_map_peek(at);
        count += span && leak_marks_is_narrow(span);
    }
    return count;
}

// How many ranges they were asked for, which are those that small blocks fill by half.
static size_t count_advised(void)
{
    uintptr_t low;
    uintptr_t high;
    size_t count = 0;
    assert_true(leak_marks_begin(&marks));
    span_map_bounds(&low, &high);
    for (uintptr_t at = low & ~(range_size - 1); at < high; at += range_size) {
        if (!marks.leaves[at >> SPAN_MAP_LEAF_SHIFT]) continue;
        const bool is_full = small_pages_in(at) >= range_size / 4096 / 2;
        assert_int_equal(is_advised((uintptr_t)leak_marks_cell(&marks, at)), is_full);
        count += is_full;
    }
    leak_marks_end(&marks);
    return count;
}

static void large_pages_are_asked_for_where_marks_fill_them(void **state)
{
    (void)state;
    enum { LARGE = 100, SMALL = 80 << 20, SIZE = 256 };
    if (access("/sys/kernel/mm/transparent_hugepage/enabled", R_OK) != 0) {
        print_message("this kernel has no large pages\n");
        skip();
    }
    void **large = calloc(LARGE, sizeof *large);
    void **small = calloc(SMALL / SIZE, sizeof *small);
    assert_true(large && small);
    for (size_t i = 0; i < LARGE; i++) large[i] = heap_alloc(1 << 20);
    assert_int_equal(count_advised(), 0);
    for (size_t i = 0; i < SMALL / SIZE; i++) small[i] = heap_alloc(SIZE);
    assert_true(count_advised() >= 1);
    // Free ones are marked, too, and so are counted, as long as the heap keeps their spans.
    for (size_t i = 0; i < SMALL / SIZE; i++) heap_free(small[i]);
    (void)count_advised();
    for (size_t i = 0; i < LARGE; i++) heap_free(large[i]);
    free(small);
    free(large);
}

// --- memory

static size_t resident_pages(const struct leak_leaf *leaf)
{
    static unsigned char pages[sizeof *leaf / 4096];
    size_t count = 0;
    assert_int_equal(mincore((void *)(uintptr_t)leaf, sizeof *leaf, pages), 0);
    for (size_t i = 0; i < sizeof pages; i++) count += pages[i] & 1;
    return count;
}

// As coroutines' stacks are: each has a page or two in memory, and its marks must not take as much.
static void marks_of_large_blocks_take_little(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    static const size_t sizes[] = {8000, 20000, 33000, 65536};
    void **blocks = calloc(COUNT, sizeof *blocks);
    assert_non_null(blocks);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (size_t j = 0; j < COUNT; j++) blocks[j] = heap_alloc(sizes[i]);
        assert_true(leak_marks_begin(&marks));
        size_t pages = 0;
        for (size_t j = marks.first; j < marks.end; j++) {
            if (marks.leaves[j]) pages += resident_pages(marks.leaves[j]);
        }
        assert_true(pages < COUNT / 10);
        leak_marks_end(&marks);
        for (size_t j = 0; j < COUNT; j++) heap_free(blocks[j]);
    }
    free(blocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_pages_are_asked_for_where_marks_fill_them),
        cmocka_unit_test(marks_of_large_blocks_take_little),
        cmocka_unit_test(small_blocks_are_found_where_the_heap_says),
    };
    leak_test_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
