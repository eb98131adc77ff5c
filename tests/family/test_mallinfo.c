// mallinfo, mallinfo2, malloc_stats and malloc_info, by glibc's manual, "Statistics for Memory
// Allocation with malloc", and their manual pages.
#include "family.h"

#include <ctype.h>
#include <stdio.h>
#include <unistd.h>

#pragma GCC diagnostic ignored "-Wdeprecated-declarations" // mallinfo is still called

enum { COUNT = 10000, SIZE = 1000 };
static void *blocks[COUNT];

static void blocks_alloc(void)
{
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = pointer_hidden(malloc(SIZE));
        assert_non_null(blocks[i]);
    }
}

static void blocks_free(void)
{
    for (size_t i = 0; i < COUNT; i++) free(blocks[i]);
}

static void mallinfo2_counts_the_bytes_in_use(void **state)
{
    (void)state;
    struct mallinfo2 before = mallinfo2();
    blocks_alloc();
    struct mallinfo2 full = mallinfo2();
    assert_in_range(full.uordblks - before.uordblks, COUNT * SIZE, COUNT * SIZE * 5 / 4);
    blocks_free();
    struct mallinfo2 after = mallinfo2();
    assert_in_range(after.uordblks, 0, before.uordblks + COUNT * SIZE / 50);
}

static void mallinfo2_divides_the_arena_into_used_and_free(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        struct mallinfo2 info = mallinfo2();
        assert_int_equal(info.uordblks + info.fordblks, info.arena);
        if (round == 0)
            blocks_alloc();
        else if (round == 1)
            blocks_free();
    }
}

static void mallinfo2_counts_free_blocks(void **state)
{
    (void)state;
    blocks_alloc();
    for (size_t i = 0; i < COUNT; i += 2) free(blocks[i]);
    struct mallinfo2 info = mallinfo2();
    assert_true(info.ordblks >= 1);
    assert_true(info.fordblks >= COUNT / 2 * SIZE * 9 / 10);
    for (size_t i = 1; i < COUNT; i += 2) free(blocks[i]);
}

static void mallinfo2_counts_mappings(void **state)
{
    (void)state;
    struct mallinfo2 before = mallinfo2();
    void *first = pointer_hidden(malloc(300 * MIB));
    void *second = pointer_hidden(malloc(500 * MIB));
    assert_non_null(first);
    assert_non_null(second);
    struct mallinfo2 full = mallinfo2();
    assert_int_equal(full.hblks, before.hblks + 2);
    assert_in_range(full.hblkhd - before.hblkhd, 800 * MIB, 801 * MIB);
    assert_int_equal(full.arena, before.arena);
    free(first);
    free(second);
    struct mallinfo2 after = mallinfo2();
    assert_int_equal(after.hblks, before.hblks);
    assert_int_equal(after.hblkhd, before.hblkhd);
}

static void mallinfo_says_the_same_in_ints(void **state)
{
    (void)state;
    blocks_alloc();
    struct mallinfo2 wide = mallinfo2();
    struct mallinfo narrow = mallinfo();
    assert_int_equal(narrow.arena, wide.arena);
    assert_int_equal(narrow.ordblks, wide.ordblks);
    assert_int_equal(narrow.hblks, wide.hblks);
    assert_int_equal(narrow.hblkhd, wide.hblkhd);
    assert_int_equal(narrow.uordblks, wide.uordblks);
    assert_int_equal(narrow.fordblks, wide.fordblks);
    blocks_free();
}

// Runs malloc_stats with standard error going into `text`; returns its length.
static size_t stats_capture(char *text, size_t size)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    (void)fflush(stderr); // nothing of ours may lie in its buffer
    int saved = dup(STDERR_FILENO);
    assert_true(saved >= 0);
    assert_int_equal(dup2(fileno(file), STDERR_FILENO), STDERR_FILENO);
    malloc_stats();
    (void)fflush(stderr); // glibc prints through stdio
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    (void)close(saved); // a copy
    rewind(file);
    size_t len = fread(text, 1, size - 1, file);
    text[len] = 0;
    (void)fclose(file); // it was only read
    return len;
}

static void malloc_stats_prints_the_bytes_in_use_on_standard_error(void **state)
{
    (void)state;
    static char text[64 * 1024];
    blocks_alloc();
    size_t len = stats_capture(text, sizeof text);
    blocks_free();
    assert_true(len > 0);
    assert_int_equal(text[len - 1], '\n');
    unsigned long long largest = 0;
    for (char *at = text; *at;) {
        if (!isdigit((unsigned char)*at)) {
            at++;
            continue;
        }
        unsigned long long number = strtoull(at, &at, 10);
        largest = number > largest ? number : largest;
    }
    assert_true(largest >= COUNT * SIZE);
}

// Whether the text is one well-formed element without comments, entities or CDATA: every tag closed
// in order, attributes quoted, nothing but space outside.
static bool is_well_formed(const char *at, size_t *elements_out)
{
    const char *open[64];
    size_t lengths[64];
    size_t depth = 0;
    *elements_out = 0;
    for (; *at; at++) {
        if (*at != '<') {
            if (*at == '>' || *at == '&' || (depth == 0 && !isspace((unsigned char)*at)))
                return false;
            continue;
        }
        bool closing = at[1] == '/';
        const char *name = at + 1 + closing;
        size_t len = strcspn(name, " \t\n/>");
        at = name + len;
        while (*at && *at != '>' && *at != '/') {
            if (*at != '"') {
                at++;
                continue;
            }
            at = strchr(at + 1, '"');
            if (!at) return false;
            at++;
        }
        if (len == 0 || !*at) return false;
        if (closing) {
            if (depth == 0 || lengths[depth - 1] != len || memcmp(open[depth - 1], name, len) != 0)
                return false;
            depth--;
        } else {
            if (depth == 0 && *elements_out > 0) return false;
            ++*elements_out;
            if (*at == '/') {
                at++;
            } else if (depth < 64) {
                open[depth] = name;
                lengths[depth++] = len;
            }
        }
        if (*at != '>') return false;
    }
    return depth == 0 && *elements_out > 0;
}

static void malloc_info_prints_well_formed_xml(void **state)
{
    (void)state;
    static char text[256 * 1024];
    blocks_alloc();
    FILE *file = fmemopen(text, sizeof text, "w");
    assert_non_null(file);
    errno = ERRNO_UNTOUCHED;
    assert_int_equal(malloc_info(0, file), 0);
    assert_int_equal(errno, ERRNO_UNTOUCHED);
    assert_int_equal(fclose(file), 0);
    blocks_free();
    assert_memory_equal(text, "<malloc version=\"", strlen("<malloc version=\""));
    size_t elements = 0;
    if (!is_well_formed(text, &elements)) fail_msg("not well-formed:\n%s", text);
    assert_true(elements > 3);
}

static void malloc_info_refuses_options(void **state)
{
    (void)state;
    static const int options[] = {1, 2, -1, 1 << 30};
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        char text[64] = "";
        FILE *file = fmemopen(text, sizeof text, "w");
        assert_non_null(file);
        assert_int_not_equal(malloc_info(options[i], file), 0);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(text[0], 0);
    }
}

static void the_xml_check_tells_bad_from_good(void **state)
{
    (void)state;
    static const char *const good[] = {"<a/>", "<a>\n<b c=\"1\">2</b></a>\n",
                                       "<a><b/><b x=\"/>\"/></a>"};
    static const char *const bad[] = {
        "",        "x",        "<a>",         "<a></b>",      "<a/><b/>", "<a><b></a></b>",
        "<a b=\"", "<a>&</a>", "<a></a></a>", "<a/>trailing", "< >",      "<a><b</a>",
    };
    size_t elements = 0;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(is_well_formed(good[i], &elements));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (is_well_formed(bad[i], &elements)) fail_msg("taken for well-formed: %s", bad[i]);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(mallinfo2_counts_the_bytes_in_use),
        cmocka_unit_test(mallinfo2_divides_the_arena_into_used_and_free),
        cmocka_unit_test(mallinfo2_counts_free_blocks),
        cmocka_unit_test(mallinfo2_counts_mappings),
        cmocka_unit_test(mallinfo_says_the_same_in_ints),
        cmocka_unit_test(malloc_stats_prints_the_bytes_in_use_on_standard_error),
        cmocka_unit_test(malloc_info_prints_well_formed_xml),
        cmocka_unit_test(malloc_info_refuses_options),
        cmocka_unit_test(the_xml_check_tells_bad_from_good),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
