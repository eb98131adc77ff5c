// calloc, by C17 7.22.3.2, POSIX and glibc's manual, "Allocating Cleared Space".
#include "family.h"

struct product {
    size_t count;
    size_t size;
};

static void calloc_clears_every_size_up_to_8_kib_after_dirty_use(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 8 * KIB; size++) {
        void *dirty[4];
        for (size_t i = 0; i < 4; i++) {
            dirty[i] = pointer_hidden(malloc(size));
            assert_non_null(dirty[i]);
            memset(dirty[i], 0xee, size);
        }
        for (size_t i = 0; i < 4; i++) free(dirty[i]);
        void *block = pointer_hidden(calloc(1, size));
        assert_non_null(block);
        assert_aligned(block, 16);
        assert_true(is_filled_with(block, size, 0));
        free(block);
    }
}

static void calloc_clears_the_edges_after_dirty_use(void **state)
{
    (void)state;
    for (size_t i = 0; i < edge_sizes_count; i++) {
        size_t size = edge_sizes[i];
        for (int round = 0; round < 3; round++) {
            void *dirty = pointer_hidden(malloc(size));
            assert_non_null(dirty);
            memset(dirty, 0xee, size);
            free(dirty);
            void *block = pointer_hidden(calloc(size, 1));
            assert_non_null(block);
            assert_true(is_filled_with(block, size, 0));
            memset(block, 0xdd, size);
            free(block);
        }
    }
}

static void calloc_clears_what_was_split_and_merged(void **state)
{
    (void)state;
    // Dirty memory of other sizes, freed, so that a block is cut from it.
    enum { COUNT = 2000 };
    static void *dirty[COUNT];
    uint64_t random = seed_choose(__func__);
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            size_t size = random_size(&random, 64 * KIB);
            dirty[i] = pointer_hidden(malloc(size));
            assert_non_null(dirty[i]);
            memset(dirty[i], 0xee, size);
        }
        for (size_t i = 0; i < COUNT; i++) free(dirty[i]);
        for (size_t i = 0; i < COUNT; i++) {
            size_t size = random_size(&random, 64 * KIB);
            dirty[i] = pointer_hidden(calloc(1, size));
            assert_non_null(dirty[i]);
            assert_true(is_filled_with(dirty[i], size, 0));
            memset(dirty[i], 0xcc, size);
        }
        for (size_t i = 0; i < COUNT; i++) free(dirty[i]);
    }
}

// glibc clears all of the block, and programs that use malloc_usable_size rely on it.
static void calloc_clears_the_usable_bytes_beyond_the_request(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 4 * MIB; size += 1 + size / 7) {
        for (int round = 0; round < 2; round++) {
            void *block = pointer_hidden(calloc(1, size));
            assert_non_null(block);
            assert_true(is_filled_with(block, malloc_usable_size(block), 0));
            memset(block, 0xee, malloc_usable_size(block));
            free(block);
        }
    }
}

static void calloc_serves_products(void **state)
{
    (void)state;
    static const struct product products[] = {
        {1, 100}, {100, 1}, {7, 13}, {13, 7}, {1000, 1000}, {3, 65537}, {65537, 3}, {1 << 16, 256},
    };
    for (size_t i = 0; i < sizeof products / sizeof products[0]; i++) {
        size_t size = products[i].count * products[i].size;
        void *block = pointer_hidden(calloc(products[i].count, products[i].size));
        assert_non_null(block);
        assert_true(malloc_usable_size(block) >= size);
        assert_true(is_filled_with(block, size, 0));
        pattern_fill(block, size, i);
        assert_all_pattern(block, size, i);
        free(block);
    }
}

static void calloc_of_nothing_gives_blocks_of_their_own(void **state)
{
    (void)state;
    static const struct product nothing[] = {{0, 0}, {0, 1}, {1, 0}, {SIZE_MAX, 0}, {0, SIZE_MAX}};
    void *blocks[5];
    for (size_t i = 0; i < 5; i++) {
        blocks[i] = pointer_hidden(calloc(size_hidden(nothing[i].count), nothing[i].size));
        assert_non_null(blocks[i]);
        for (size_t j = 0; j < i; j++) assert_ptr_not_equal(blocks[i], blocks[j]);
    }
    for (size_t i = 0; i < 5; i++) free(blocks[i]);
}

static void calloc_refuses_products_that_overflow(void **state)
{
    (void)state;
    static const struct product overflows[] = {
        {SIZE_MAX, SIZE_MAX},
        {SIZE_MAX, 2},
        {2, SIZE_MAX},
        {SIZE_MAX / 2 + 1, 2},                      // 0 in 64 bits
        {2, SIZE_MAX / 2 + 1},                      //
        {(size_t)1 << 32, (size_t)1 << 32},         // 0 too
        {((size_t)1 << 32) + 1, ((size_t)1 << 32)}, // 4 GiB
        {SIZE_MAX / 16 + 1, 17},                    // 16
        {17, SIZE_MAX / 16 + 1},                    //
        {SIZE_MAX / 3 + 1, 3},                      // small
        {(size_t)1 << 63, 1},                       // above PTRDIFF_MAX
        {1, SIZE_MAX - 4095},                       //
        {SIZE_MAX / 4096, 4096},                    //
    };
    for (size_t i = 0; i < sizeof overflows / sizeof overflows[0]; i++) {
        errno = 0;
        void *block =
            pointer_hidden(calloc(size_hidden(overflows[i].count), size_hidden(overflows[i].size)));
        assert_null(block);
        assert_int_equal(errno, ENOMEM);
    }
}

static void calloc_refuses_the_impossible_with_enomem(void **state)
{
    (void)state;
    for (size_t i = 0; i < impossible_sizes_count; i++) {
        errno = 0;
        assert_null(pointer_hidden(calloc(1, size_hidden(impossible_sizes[i]))));
        assert_int_equal(errno, ENOMEM);
        errno = 0;
        assert_null(pointer_hidden(calloc(size_hidden(impossible_sizes[i]), 1)));
        assert_int_equal(errno, ENOMEM);
    }
}

static void calloc_that_succeeds_leaves_errno_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < edge_sizes_count; i++) {
        errno = ERRNO_UNTOUCHED;
        void *block = pointer_hidden(calloc(edge_sizes[i], 1));
        assert_int_equal(errno, ERRNO_UNTOUCHED);
        free(block);
    }
}

static void calloc_touches_no_page_that_the_kernel_cleared(void **state)
{
    (void)state;
    size_t before = resident_bytes();
    unsigned char *block = pointer_hidden(calloc(size_hidden(1024), MIB));
    assert_non_null(block);
    size_t after = resident_bytes();
    assert_in_range(after > before ? after - before : 0, 0, 16 * MIB);
    for (size_t at = 0; at < GIB; at += 64 * MIB) assert_int_equal(block[at], 0);
    assert_int_equal(block[GIB - 1], 0);
    free(block);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(calloc_clears_every_size_up_to_8_kib_after_dirty_use),
        cmocka_unit_test(calloc_clears_the_edges_after_dirty_use),
        cmocka_unit_test(calloc_clears_what_was_split_and_merged),
        cmocka_unit_test(calloc_clears_the_usable_bytes_beyond_the_request),
        cmocka_unit_test(calloc_serves_products),
        cmocka_unit_test(calloc_of_nothing_gives_blocks_of_their_own),
        cmocka_unit_test(calloc_refuses_products_that_overflow),
        cmocka_unit_test(calloc_refuses_the_impossible_with_enomem),
        cmocka_unit_test(calloc_that_succeeds_leaves_errno_alone),
        cmocka_unit_test(calloc_touches_no_page_that_the_kernel_cleared),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
