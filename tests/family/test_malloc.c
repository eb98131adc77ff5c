// malloc, by C17 7.22.3.4, POSIX and glibc's manual, "Basic Memory Allocation".
#include "family.h"

static void malloc_aligns_every_size_up_to_64_kib_to_16(void **state)
{
    (void)state;
    enum { WINDOW = 61 }; // this many blocks live at once, so that neighbours are tried too
    void *window[WINDOW] = {0};
    for (size_t size = 0; size <= 64 * KIB; size++) {
        void **slot = &window[size % WINDOW];
        free(*slot);
        *slot = pointer_hidden(malloc(size));
        assert_non_null(*slot);
        assert_aligned(*slot, 16);
        memset(*slot, (int)size, size);
    }
    for (size_t i = 0; i < WINDOW; i++) free(window[i]);
}

static void malloc_serves_the_edges_of_its_sizes(void **state)
{
    (void)state;
    for (size_t i = 0; i < edge_sizes_count; i++) {
        for (size_t off = 0; off <= 32; off += 16) {
            size_t size = edge_sizes[i] + off < 16 ? 0 : edge_sizes[i] + off - 16;
            void *block = pointer_hidden(malloc(size));
            assert_non_null(block);
            assert_aligned(block, 16);
            pattern_fill(block, size, i);
            assert_all_pattern(block, size, i);
            free(block);
        }
    }
}

static void malloc_of_nothing_gives_blocks_of_their_own(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    static void *blocks[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = pointer_hidden(malloc(size_hidden(0)));
        assert_non_null(blocks[i]);
        assert_aligned(blocks[i], 16);
    }
    for (size_t i = 0; i < COUNT; i++)
        for (size_t j = i + 1; j < COUNT; j++) assert_ptr_not_equal(blocks[i], blocks[j]);
    for (size_t i = 0; i < COUNT; i++) free(blocks[i]);
}

static void malloc_serves_a_gibibyte(void **state)
{
    (void)state;
    for (size_t size = 32 * MIB; size <= GIB; size *= 2) {
        unsigned char *block = pointer_hidden(malloc(size_hidden(size + 1)));
        assert_non_null(block);
        assert_aligned(block, 16);
        block[0] = 1;
        block[size / 2] = 2;
        block[size] = 3;
        assert_int_equal(block[0] + block[size / 2] + block[size], 6);
        free(block);
    }
}

static void malloc_serves_more_than_4_gib(void **state)
{
    (void)state;
    // Untouched pages cost nothing; a size kept in 32 bits would come out as 1.
    size_t size = 4 * GIB + 1;
    unsigned char *block = pointer_hidden(malloc(size_hidden(size)));
    assert_non_null(block);
    assert_true(malloc_usable_size(block) >= size);
    block[0] = 1;
    block[size - 1] = 2;
    assert_int_equal(block[0], 1);
    assert_int_equal(block[size - 1], 2);
    free(block);
}

static void malloc_refuses_the_impossible_with_enomem(void **state)
{
    (void)state;
    for (size_t i = 0; i < impossible_sizes_count; i++) {
        errno = 0;
        void *block = pointer_hidden(malloc(size_hidden(impossible_sizes[i])));
        assert_null(block);
        assert_int_equal(errno, ENOMEM);
    }
}

static void malloc_works_after_a_refusal(void **state)
{
    (void)state;
    for (size_t i = 0; i < impossible_sizes_count; i++) {
        assert_null(pointer_hidden(malloc(size_hidden(impossible_sizes[i]))));
        for (size_t size = 1; size <= MIB; size *= 4) {
            void *block = pointer_hidden(malloc(size));
            assert_non_null(block);
            memset(block, 1, size);
            free(block);
        }
    }
}

static void malloc_that_succeeds_leaves_errno_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < edge_sizes_count; i++) {
        errno = ERRNO_UNTOUCHED;
        void *block = pointer_hidden(malloc(edge_sizes[i]));
        assert_int_equal(errno, ERRNO_UNTOUCHED);
        assert_non_null(block);
        free(block);
    }
}

static void malloc_never_lets_two_live_blocks_overlap(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    static void *blocks[COUNT];
    static size_t sizes[COUNT];
    uint64_t random = seed_choose(__func__);
    for (size_t i = 0; i < COUNT; i++) {
        sizes[i] = random_size(&random, 8 * KIB);
        blocks[i] = pointer_hidden(malloc(sizes[i]));
        assert_non_null(blocks[i]);
        pattern_fill(blocks[i], sizes[i], i);
    }
    for (size_t round = 0; round < 10 * COUNT; round++) {
        size_t i = random_next(&random) % COUNT;
        assert_all_pattern(blocks[i], sizes[i], i);
        free(blocks[i]);
        sizes[i] = random_size(&random, round % 64 == 0 ? 256 * KIB : 4 * KIB);
        blocks[i] = pointer_hidden(malloc(sizes[i]));
        assert_non_null(blocks[i]);
        pattern_fill(blocks[i], sizes[i], i);
    }
    for (size_t i = 0; i < COUNT; i++) {
        assert_all_pattern(blocks[i], sizes[i], i);
        free(blocks[i]);
    }
}

static void malloc_reuses_what_was_freed(void **state)
{
    (void)state;
    static const size_t sizes[] = {24, 1000, 20 * KIB, 200 * KIB, 3 * MIB, 40 * MIB};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t rounds = sizes[i] < MIB ? 4096 : 64;
        size_t before = resident_bytes();
        for (size_t round = 0; round < rounds; round++) {
            void *block = pointer_hidden(malloc(sizes[i]));
            assert_non_null(block);
            pages_touch(block, sizes[i]);
            free(block);
        }
        // Without reuse this would be rounds * size: up to 2.5 GiB.
        size_t after = resident_bytes();
        size_t grown = after > before ? after - before : 0;
        assert_in_range(grown, 0, 2 * sizes[i] + 2 * MIB);
    }
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(malloc_aligns_every_size_up_to_64_kib_to_16),
        cmocka_unit_test(malloc_serves_the_edges_of_its_sizes),
        cmocka_unit_test(malloc_of_nothing_gives_blocks_of_their_own),
        cmocka_unit_test(malloc_serves_a_gibibyte),
        cmocka_unit_test(malloc_serves_more_than_4_gib),
        cmocka_unit_test(malloc_refuses_the_impossible_with_enomem),
        cmocka_unit_test(malloc_works_after_a_refusal),
        cmocka_unit_test(malloc_that_succeeds_leaves_errno_alone),
        cmocka_unit_test(malloc_never_lets_two_live_blocks_overlap),
        cmocka_unit_test(malloc_reuses_what_was_freed),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
