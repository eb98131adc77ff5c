// realloc, by C17 7.22.3.5, POSIX and glibc's manual, "Changing the Size of a Block".
#include "family.h"

static void realloc_of_null_is_malloc(void **state)
{
    (void)state;
    for (size_t i = 0; i < edge_sizes_count; i++) {
        errno = ERRNO_UNTOUCHED;
        void *block = pointer_hidden(realloc(NULL, edge_sizes[i]));
        assert_int_equal(errno, ERRNO_UNTOUCHED);
        assert_non_null(block);
        assert_aligned(block, 16);
        pattern_fill(block, edge_sizes[i], i);
        assert_all_pattern(block, edge_sizes[i], i);
        free(block);
    }
}

static void realloc_of_null_to_nothing_gives_a_block(void **state)
{
    (void)state;
    void *block = pointer_hidden(realloc(NULL, size_hidden(0)));
    assert_non_null(block);
    free(block);
}

static void realloc_to_nothing_frees_and_gives_null(void **state)
{
    (void)state;
    for (size_t i = 0; i < edge_sizes_count; i++) {
        void *block = pointer_hidden(malloc(edge_sizes[i]));
        assert_non_null(block);
        errno = ERRNO_UNTOUCHED;
        assert_null(pointer_hidden(realloc(block, size_hidden(0))));
        assert_int_equal(errno, ERRNO_UNTOUCHED);
    }
    size_t before = resident_bytes();
    for (int round = 0; round < 4000; round++) {
        void *block = pointer_hidden(malloc(100 * KIB));
        assert_non_null(block);
        pages_touch(block, 100 * KIB);
        assert_null(pointer_hidden(realloc(block, size_hidden(0))));
    }
    // Had it freed nothing, this would be 400 MiB.
    size_t after = resident_bytes();
    assert_in_range(after > before ? after - before : 0, 0, 16 * MIB);
}

static void realloc_keeps_the_bytes_byte_by_byte_to_8_kib(void **state)
{
    (void)state;
    unsigned char *block = pointer_hidden(malloc(1));
    assert_non_null(block);
    block[0] = 0;
    for (size_t size = 2; size <= 8 * KIB; size++) {
        block = pointer_hidden(realloc(block, size));
        assert_non_null(block);
        assert_aligned(block, 16);
        block[size - 1] = (unsigned char)((size - 1) * 7);
        if (size % 61 == 0)
            for (size_t i = 0; i < size; i++) assert_int_equal(block[i], (unsigned char)(i * 7));
    }
    for (size_t size = 8 * KIB - 1; size > 0; size--) {
        block = pointer_hidden(realloc(block, size));
        assert_non_null(block);
        assert_aligned(block, 16);
        assert_int_equal(block[size - 1], (unsigned char)((size - 1) * 7));
    }
    free(block);
}

static void realloc_keeps_the_bytes_between_any_two_edges(void **state)
{
    (void)state;
    for (size_t from = 0; from < edge_sizes_count; from++) {
        for (size_t to = 1; to < edge_sizes_count; to++) {
            // The big ones only against a few, or this takes minutes.
            if (edge_sizes[from] + edge_sizes[to] > 8 * MIB && (from * to) % 11 != 0) continue;
            size_t kept = edge_sizes[from] < edge_sizes[to] ? edge_sizes[from] : edge_sizes[to];
            void *block = pointer_hidden(malloc(edge_sizes[from]));
            assert_non_null(block);
            pattern_fill(block, edge_sizes[from], from);
            errno = ERRNO_UNTOUCHED;
            block = pointer_hidden(realloc(block, edge_sizes[to]));
            assert_int_equal(errno, ERRNO_UNTOUCHED);
            assert_non_null(block);
            assert_aligned(block, 16);
            assert_all_pattern(block, kept, from);
            pattern_fill(block, edge_sizes[to], to);
            assert_all_pattern(block, edge_sizes[to], to);
            free(block);
        }
    }
}

static void realloc_keeps_the_bytes_of_a_growing_buffer(void **state)
{
    (void)state;
    // As programs do: by half each time, with other allocations between, up to 128 MiB.
    void *others[64] = {0};
    size_t size = 16;
    void *block = pointer_hidden(malloc(size));
    assert_non_null(block);
    pattern_fill(block, size, 1);
    for (size_t step = 0; size < 128 * MIB; step++) {
        size_t grown = size + size / 2;
        block = pointer_hidden(realloc(block, grown));
        assert_non_null(block);
        assert_all_pattern(block, size, step + 1);
        size = grown;
        pattern_fill(block, size, step + 2);
        free(others[step % 64]);
        others[step % 64] = pointer_hidden(malloc(size / 3));
        assert_non_null(others[step % 64]);
        memset(others[step % 64], 0xbb, 64 < size / 3 ? 64 : size / 3);
        assert_int_equal(pattern_verify(block, size, step + 2), size);
    }
    free(block);
    for (size_t i = 0; i < 64; i++) free(others[i]);
}

static void realloc_keeps_the_bytes_of_huge_blocks(void **state)
{
    (void)state;
    static const size_t sizes[] = {64 * MIB, 200 * MIB, 199 * MIB, 40 * MIB, 260 * MIB, MIB, 64};
    size_t size = MIB;
    unsigned char *block = pointer_hidden(malloc(size));
    assert_non_null(block);
    pattern_fill(block, size, 9);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        block = pointer_hidden(realloc(block, sizes[i]));
        assert_non_null(block);
        assert_aligned(block, 16);
        size_t kept = size < sizes[i] ? size : sizes[i];
        assert_all_pattern(block, kept < MIB ? kept : MIB, 9);
        if (i > 0 && kept > MIB) assert_int_equal(block[kept - 1], 0x5c);
        size = sizes[i];
        if (size > MIB) block[size - 1] = 0x5c;
        // What the next, smaller block keeps at its end.
        for (size_t j = i; j < sizeof sizes / sizeof sizes[0]; j++)
            if (sizes[j] > MIB && sizes[j] <= size) block[sizes[j] - 1] = 0x5c;
    }
    free(block);
}

static void realloc_that_fails_leaves_the_block_alone(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 100, 5000, 50 * KIB, 500 * KIB, 5 * MIB, 70 * MIB};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        void *block = pointer_hidden(malloc(sizes[i]));
        assert_non_null(block);
        pattern_fill(block, sizes[i], i);
        for (size_t j = 0; j < impossible_sizes_count; j++) {
            errno = 0;
            assert_null(pointer_hidden(realloc(block, size_hidden(impossible_sizes[j]))));
            assert_int_equal(errno, ENOMEM);
        }
        assert_all_pattern(block, sizes[i], i);
        block = pointer_hidden(realloc(block, sizes[i] + 100));
        assert_non_null(block);
        assert_all_pattern(block, sizes[i], i);
        free(block);
    }
}

static void realloc_of_null_refuses_the_impossible(void **state)
{
    (void)state;
    for (size_t j = 0; j < impossible_sizes_count; j++) {
        errno = 0;
        assert_null(pointer_hidden(realloc(NULL, size_hidden(impossible_sizes[j]))));
        assert_int_equal(errno, ENOMEM);
    }
}

static void realloc_takes_blocks_of_every_alignment(void **state)
{
    (void)state;
    for (size_t align = 16; align <= 4 * MIB; align *= 2) {
        for (size_t size = 1; size <= MIB; size *= 9) {
            void *block = pointer_hidden(memalign(align, size));
            assert_non_null(block);
            assert_aligned(block, align);
            pattern_fill(block, size, align);
            block = pointer_hidden(realloc(block, size * 3));
            assert_non_null(block);
            assert_aligned(block, 16);
            assert_all_pattern(block, size, align);
            pattern_fill(block, size * 3, align + 1);
            block = pointer_hidden(realloc(block, size / 2 + 1));
            assert_non_null(block);
            assert_all_pattern(block, size / 2 + 1, align + 1);
            free(block);
        }
    }
}

static void realloc_never_lets_two_live_blocks_overlap(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    static void *blocks[COUNT];
    static size_t sizes[COUNT];
    uint64_t random = seed_choose(__func__);
    for (size_t round = 0; round < 200000; round++) {
        size_t i = random_next(&random) % COUNT;
        size_t bound = random_next(&random) % 512 == 0 ? 2 * MIB : 8 * KIB;
        size_t size = 1 + random_size(&random, bound);
        size_t kept = size < sizes[i] ? size : sizes[i];
        blocks[i] = pointer_hidden(realloc(blocks[i], size));
        assert_non_null(blocks[i]);
        assert_all_pattern(blocks[i], kept, i);
        sizes[i] = size;
        pattern_fill(blocks[i], size, i);
    }
    for (size_t i = 0; i < COUNT; i++) {
        assert_all_pattern(blocks[i], sizes[i], i);
        free(blocks[i]);
    }
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(realloc_of_null_is_malloc),
        cmocka_unit_test(realloc_of_null_to_nothing_gives_a_block),
        cmocka_unit_test(realloc_to_nothing_frees_and_gives_null),
        cmocka_unit_test(realloc_keeps_the_bytes_byte_by_byte_to_8_kib),
        cmocka_unit_test(realloc_keeps_the_bytes_between_any_two_edges),
        cmocka_unit_test(realloc_keeps_the_bytes_of_a_growing_buffer),
        cmocka_unit_test(realloc_keeps_the_bytes_of_huge_blocks),
        cmocka_unit_test(realloc_that_fails_leaves_the_block_alone),
        cmocka_unit_test(realloc_of_null_refuses_the_impossible),
        cmocka_unit_test(realloc_takes_blocks_of_every_alignment),
        cmocka_unit_test(realloc_never_lets_two_live_blocks_overlap),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
