// malloc_usable_size, by glibc's manual page: the bytes that may be used at a block.
#include "family.h"

static void usable_size_of_null_is_0(void **state)
{
    (void)state;
    assert_int_equal(malloc_usable_size(pointer_hidden(NULL)), 0);
}

static void usable_size_is_at_least_what_was_asked(void **state)
{
    (void)state;
    for (size_t size = 0; size <= 64 * KIB; size++) {
        void *block = pointer_hidden(malloc(size));
        assert_non_null(block);
        assert_true(malloc_usable_size(block) >= size);
        free(block);
    }
    for (size_t i = 0; i < edge_sizes_count; i++) {
        void *block = pointer_hidden(malloc(edge_sizes[i]));
        assert_non_null(block);
        assert_true(malloc_usable_size(block) >= edge_sizes[i]);
        // A quarter or two pages more is slack; much more would be a wrong size.
        assert_true(malloc_usable_size(block) <= edge_sizes[i] + edge_sizes[i] / 4 + 8 * KIB);
        free(block);
    }
}

static void usable_bytes_are_the_callers_own(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    static void *blocks[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = pointer_hidden(malloc(i));
        assert_non_null(blocks[i]);
        pattern_fill(blocks[i], malloc_usable_size(blocks[i]), i);
    }
    for (size_t i = 0; i < COUNT; i++) {
        assert_all_pattern(blocks[i], malloc_usable_size(blocks[i]), i);
        free(blocks[i]);
    }
}

static void usable_bytes_of_the_edges_are_writable(void **state)
{
    (void)state;
    for (size_t i = 0; i < edge_sizes_count; i++) {
        void *block = pointer_hidden(malloc(edge_sizes[i]));
        assert_non_null(block);
        size_t usable = malloc_usable_size(block);
        pattern_fill(block, usable, i);
        assert_all_pattern(block, usable, i);
        free(block);
    }
}

static void usable_bytes_of_aligned_blocks_are_writable(void **state)
{
    (void)state;
    for (size_t align = 16; align <= 8 * MIB; align *= 2) {
        for (size_t size = 1; size <= 200000; size = size * 7 + 3) {
            void *block = pointer_hidden(memalign(align, size));
            void *neighbour = pointer_hidden(memalign(align, size));
            assert_non_null(block);
            assert_non_null(neighbour);
            pattern_fill(neighbour, malloc_usable_size(neighbour), 2);
            pattern_fill(block, malloc_usable_size(block), 1);
            assert_true(malloc_usable_size(block) >= size);
            assert_all_pattern(neighbour, malloc_usable_size(neighbour), 2);
            assert_all_pattern(block, malloc_usable_size(block), 1);
            free(block);
            free(neighbour);
        }
    }
}

static void usable_size_stays_until_the_block_is_resized(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    static void *blocks[COUNT];
    static size_t usable[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = pointer_hidden(malloc(i * 50));
        assert_non_null(blocks[i]);
        usable[i] = malloc_usable_size(blocks[i]);
    }
    for (size_t i = 0; i < COUNT; i += 3) {
        free(blocks[i]);
        blocks[i] = NULL;
    }
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(malloc_usable_size(blocks[i]), i % 3 == 0 ? 0 : usable[i]);
        free(blocks[i]);
    }
}

static void usable_size_follows_realloc(void **state)
{
    (void)state;
    void *block = NULL;
    for (size_t i = 1; i < edge_sizes_count; i++) {
        block = pointer_hidden(realloc(block, edge_sizes[i]));
        assert_non_null(block);
        assert_true(malloc_usable_size(block) >= edge_sizes[i]);
        pages_touch(block, malloc_usable_size(block));
    }
    for (size_t i = edge_sizes_count - 1; i > 0; i--) {
        block = pointer_hidden(realloc(block, edge_sizes[i]));
        assert_non_null(block);
        assert_true(malloc_usable_size(block) >= edge_sizes[i]);
        pages_touch(block, malloc_usable_size(block));
    }
    free(block);
}

static void usable_size_leaves_errno_alone(void **state)
{
    (void)state;
    void *block = pointer_hidden(malloc(100));
    errno = ERRNO_UNTOUCHED;
    assert_true(malloc_usable_size(block) >= 100);
    assert_int_equal(malloc_usable_size(pointer_hidden(NULL)), 0);
    assert_int_equal(errno, ERRNO_UNTOUCHED);
    free(block);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(usable_size_of_null_is_0),
        cmocka_unit_test(usable_size_is_at_least_what_was_asked),
        cmocka_unit_test(usable_bytes_are_the_callers_own),
        cmocka_unit_test(usable_bytes_of_the_edges_are_writable),
        cmocka_unit_test(usable_bytes_of_aligned_blocks_are_writable),
        cmocka_unit_test(usable_size_stays_until_the_block_is_resized),
        cmocka_unit_test(usable_size_follows_realloc),
        cmocka_unit_test(usable_size_leaves_errno_alone),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
