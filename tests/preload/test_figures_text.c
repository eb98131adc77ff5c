// The figures as text and as libc's structures: what is written for given figures, to the byte.

#include "preload/figures_text.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct heap_stats stats = {
    .mapped_bytes = 1000,
    .live_block_bytes = 600,
    .live_blocks = 7,
    .free_dirty_bytes = 100,
    .free_clean_bytes = 200,
    .direct_bytes = 5000,
    .direct_blocks = 2,
    .metadata_bytes = 64,
    .mapped_bytes_peak = 9000,
};

static const struct heap_class_stats rows[] = {
    {.block_size = 16, .spans = 1, .live_blocks = 3, .free_blocks = 5},
    {.block_size = 32, .spans = 0, .live_blocks = 0, .free_blocks = 0},
    {.block_size = 48, .spans = 2, .live_blocks = 4, .free_blocks = 0},
    {.block_size = 64, .spans = 1, .live_blocks = 0, .free_blocks = 2},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

struct page {
    char text[8192];
    size_t length;
};

// A sink that also holds the writer to its contract.
static void collect(void *context, const char *line, size_t length)
{
    struct page *page = context;
    assert_int_equal(strlen(line), length);
    assert_true(length > 0 && line[length - 1] == '\n');
    assert_true(page->length + length < sizeof page->text);
    memcpy(page->text + page->length, line, length + 1);
    page->length += length;
}

static void xml_is_glibcs_document_with_our_classes(void **state)
{
    (void)state;
    struct page page = {.length = 0};
    figures_xml(&stats, rows, ROWS, collect, &page);
    assert_string_equal(
        page.text, "<malloc version=\"1\">\n"
                   "<heap nr=\"0\">\n"
                   "<sizes>\n"
                   "  <size from=\"1\" to=\"16\" total=\"80\" count=\"5\"/>\n"
                   "  <size from=\"49\" to=\"64\" total=\"128\" count=\"2\"/>\n"
                   "</sizes>\n"
                   "<classes>\n"
                   "  <class block_size=\"16\" spans=\"1\" live_blocks=\"3\" free_blocks=\"5\"/>\n"
                   "  <class block_size=\"48\" spans=\"2\" live_blocks=\"4\" free_blocks=\"0\"/>\n"
                   "  <class block_size=\"64\" spans=\"1\" live_blocks=\"0\" free_blocks=\"2\"/>\n"
                   "</classes>\n"
                   "<total type=\"fast\" count=\"0\" size=\"0\"/>\n"
                   "<total type=\"rest\" count=\"7\" size=\"400\"/>\n"
                   "<system type=\"current\" size=\"1000\"/>\n"
                   "<system type=\"max\" size=\"9000\"/>\n"
                   "<aspace type=\"total\" size=\"1000\"/>\n"
                   "<aspace type=\"mprotect\" size=\"1000\"/>\n"
                   "<live size=\"600\"/>\n"
                   "<free type=\"dirty\" size=\"100\"/>\n"
                   "<free type=\"clean\" size=\"200\"/>\n"
                   "<metadata size=\"64\"/>\n"
                   "</heap>\n"
                   "<total type=\"fast\" count=\"0\" size=\"0\"/>\n"
                   "<total type=\"rest\" count=\"7\" size=\"400\"/>\n"
                   "<total type=\"mmap\" count=\"2\" size=\"5000\"/>\n"
                   "<system type=\"current\" size=\"1000\"/>\n"
                   "<system type=\"max\" size=\"9000\"/>\n"
                   "<aspace type=\"total\" size=\"1000\"/>\n"
                   "<aspace type=\"mprotect\" size=\"1000\"/>\n"
                   "</malloc>\n");
}

static void the_largest_figures_fit_their_lines(void **state)
{
    (void)state;
    struct heap_stats most;
    memset(&most, 0xff, sizeof most);
    most.live_block_bytes = 0;
    struct heap_class_stats row = {SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX};
    struct page page = {.length = 0};
    figures_xml(&most, &row, 1, collect, &page);
    assert_non_null(strstr(page.text, "<class block_size=\"18446744073709551615\" "
                                      "spans=\"18446744073709551615\" "
                                      "live_blocks=\"18446744073709551615\" "
                                      "free_blocks=\"18446744073709551615\"/>\n"));
    page.length = 0;
    figures_lines(&most, collect, &page);
    assert_non_null(strstr(page.text, "metadata bytes   = 18446744073709551615\n"));
    assert_true(page.length < 1024); // malloc_stats() collects it in a buffer of that size
}

static void lines_are_labelled_and_aligned(void **state)
{
    (void)state;
    struct page page = {.length = 0};
    figures_lines(&stats, collect, &page);
    assert_string_equal(page.text, "Arena 0:\n"
                                   "system bytes     =         1000\n"
                                   "in use bytes     =          600\n"
                                   "Total (incl. mmap):\n"
                                   "system bytes     =         6000\n"
                                   "in use bytes     =         5600\n"
                                   "max mmap regions =            2\n"
                                   "max mmap bytes   =         5000\n"
                                   "mmap regions     =            2\n"
                                   "mmap bytes       =         5000\n"
                                   "peak system      =         9000\n"
                                   "live blocks      =            9\n"
                                   "free dirty bytes =          100\n"
                                   "free clean bytes =          200\n"
                                   "metadata bytes   =           64\n");
}

static void mallinfo_adds_up(void **state)
{
    (void)state;
    struct mallinfo2 info = figures_mallinfo(&stats, rows, ROWS);
    assert_int_equal(info.arena, 1000);
    assert_int_equal(info.uordblks, 600);
    assert_int_equal(info.fordblks, 400);
    assert_int_equal(info.ordblks, 7);
    assert_int_equal(info.hblks, 2);
    assert_int_equal(info.hblkhd, 5000);
    assert_int_equal(info.keepcost, 100);
    assert_int_equal(info.smblks + info.usmblks + info.fsmblks, 0);
}

static void figures_that_do_not_fit_together_do_not_wrap(void **state)
{
    (void)state;
    // Read while other threads allocate: more live bytes than there seemed to be memory.
    struct heap_stats racy = {.mapped_bytes = 10, .live_block_bytes = 11};
    struct mallinfo2 info = figures_mallinfo(&racy, NULL, 0);
    assert_int_equal(info.fordblks, 0);
}

static void mallinfo_saturates(void **state)
{
    (void)state;
    struct mallinfo2 wide = {
        .arena = (size_t)INT_MAX + 1,
        .ordblks = INT_MAX,
        .smblks = (size_t)INT_MAX - 1,
        .hblks = 0,
        .hblkhd = SIZE_MAX,
        .usmblks = (size_t)1 << 32,
        .fsmblks = UINT_MAX,
        .uordblks = ((size_t)1 << 32) + 5,
        .fordblks = 5,
        .keepcost = (size_t)1 << 63,
    };
    struct mallinfo narrow = figures_saturated(&wide);
    assert_int_equal(narrow.arena, INT_MAX);
    assert_int_equal(narrow.ordblks, INT_MAX);
    assert_int_equal(narrow.smblks, INT_MAX - 1);
    assert_int_equal(narrow.hblks, 0);
    assert_int_equal(narrow.hblkhd, INT_MAX);
    assert_int_equal(narrow.usmblks, INT_MAX);
    assert_int_equal(narrow.fsmblks, INT_MAX);
    assert_int_equal(narrow.uordblks, INT_MAX);
    assert_int_equal(narrow.fordblks, 5);
    assert_int_equal(narrow.keepcost, INT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(xml_is_glibcs_document_with_our_classes),
        cmocka_unit_test(the_largest_figures_fit_their_lines),
        cmocka_unit_test(lines_are_labelled_and_aligned),
        cmocka_unit_test(mallinfo_adds_up),
        cmocka_unit_test(figures_that_do_not_fit_together_do_not_wrap),
        cmocka_unit_test(mallinfo_saturates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
