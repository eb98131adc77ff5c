// Protects: a tree of recordings is opened whole or not at all.
#include "cli/tree.h"

#include "cli/output.h"
#include "sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { COUNT = 3 };
static const uint64_t peaks[COUNT] = {10, 500, 200};

static char folder[] = "/tmp/test_tree_XXXXXX";
static char paths[COUNT][64];

static int setup(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return -1;
    for (size_t i = 0; i < COUNT; i++) {
        struct sample sample;
        sample_init(&sample);
        sample_process(&sample)->peak_bytes = peaks[i];
        size_t size = 0;
        uint8_t *bytes = sample_file(&sample, &size);
        (void)snprintf(paths[i], sizeof paths[i], "%s/%zu.mete", folder, i);
        FILE *file = fopen(paths[i], "wb");
        if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) return -1;
        free(bytes);
        sample_deinit(&sample);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT; i++) (void)unlink(paths[i]);
    return rmdir(folder);
}

static void the_order_is_that_of_the_paths(void **state)
{
    (void)state;
    struct tree tree;
    const char *const names[] = {paths[0], paths[1], paths[2]};
    assert_int_equal(tree_open(&tree, "try", names, COUNT, NULL, NULL), STATUS_OK);
    assert_int_equal(tree.report.count, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_string_equal(tree.report.subjects[i].path, paths[i]);
        assert_int_equal(tree.report.subjects[i].profile->process.peak_bytes, peaks[i]);
    }
    tree_close(&tree);
}

static void one_that_cannot_be_read_closes_the_others(void **state)
{
    (void)state;
    struct tree tree;
    const char *const names[] = {paths[0], folder};
    assert_int_equal(tree_open(&tree, "try", names, 2, NULL, NULL), STATUS_FAILED);
    assert_int_equal(tree.report.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_is_that_of_the_paths),
        cmocka_unit_test(one_that_cannot_be_read_closes_the_others),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
