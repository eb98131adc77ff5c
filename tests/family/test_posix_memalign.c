// posix_memalign, by POSIX and glibc's manual, "Allocating Aligned Memory Blocks"; what neither
// promises of errno (ENOMEM sets it, EINVAL does not) by what glibc 2.36 does.
#include "family.h"

// What *memptr held before, to see that a failure leaves it alone.
#define POINTER_UNTOUCHED ((void *)(uintptr_t)0x5eed)

static void posix_memalign_aligns_to_every_power_of_two(void **state)
{
    (void)state;
    for (size_t align = sizeof(void *); align <= GIB; align *= 2) {
        for (size_t size = 0; size <= 3 * MIB; size = size * 3 + 1) {
            void *block = NULL;
            assert_int_equal(posix_memalign(&block, align, size), 0);
            assert_non_null(block);
            assert_aligned(block, align);
            assert_true(malloc_usable_size(block) >= size);
            pattern_fill(block, size, align);
            assert_all_pattern(block, size, align);
            free(block);
        }
    }
}

static void posix_memalign_aligns_every_size_up_to_8_kib(void **state)
{
    (void)state;
    for (size_t align = sizeof(void *); align <= 8 * KIB; align *= 4) {
        for (size_t size = 0; size <= 8 * KIB; size++) {
            void *block = NULL;
            assert_int_equal(posix_memalign(&block, align, size), 0);
            assert_non_null(block);
            assert_aligned(block, align);
            memset(block, 1, size);
            free(block);
        }
    }
}

static void posix_memalign_of_nothing_gives_blocks_of_their_own(void **state)
{
    (void)state;
    void *blocks[32] = {0};
    for (size_t i = 0; i < 32; i++) {
        assert_int_equal(posix_memalign(&blocks[i], (size_t)8 << i % 16, 0), 0);
        assert_non_null(blocks[i]);
        for (size_t j = 0; j < i; j++) assert_ptr_not_equal(blocks[i], blocks[j]);
    }
    for (size_t i = 0; i < 32; i++) free(blocks[i]);
}

static void posix_memalign_refuses_other_alignments_with_einval(void **state)
{
    (void)state;
    static const size_t aligns[] = {
        0,  1,  2,  3,  4,  5,  7,    9,    12,   15,    17,       24,
        40, 48, 63, 65, 96, 99, 1000, 4095, 4097, 12288, SIZE_MAX, SIZE_MAX - 7,
    };
    for (size_t i = 0; i < sizeof aligns / sizeof aligns[0]; i++) {
        for (size_t size = 0; size <= 100000; size = size * 10 + 1) {
            void *block = POINTER_UNTOUCHED;
            errno = ERRNO_UNTOUCHED;
            assert_int_equal(posix_memalign(&block, size_hidden(aligns[i]), size), EINVAL);
            assert_ptr_equal(block, POINTER_UNTOUCHED);
            assert_int_equal(errno, ERRNO_UNTOUCHED);
        }
    }
}

static void posix_memalign_refuses_the_impossible_with_enomem(void **state)
{
    (void)state;
    for (size_t align = sizeof(void *); align <= GIB; align *= 8) {
        for (size_t i = 0; i < impossible_sizes_count; i++) {
            void *block = POINTER_UNTOUCHED;
            errno = ERRNO_UNTOUCHED;
            size_t size = size_hidden(impossible_sizes[i]);
            assert_int_equal(posix_memalign(&block, align, size), ENOMEM);
            assert_int_equal(errno, ENOMEM);
            assert_ptr_equal(block, POINTER_UNTOUCHED);
        }
    }
}

static void posix_memalign_refuses_impossible_alignments_with_enomem(void **state)
{
    (void)state;
    for (unsigned shift = 47; shift < 64; shift++) {
        void *block = POINTER_UNTOUCHED;
        errno = ERRNO_UNTOUCHED;
        assert_int_equal(posix_memalign(&block, size_hidden((size_t)1 << shift), 64), ENOMEM);
        assert_int_equal(errno, ENOMEM);
        assert_ptr_equal(block, POINTER_UNTOUCHED);
    }
}

static void posix_memalign_that_succeeds_leaves_errno_alone(void **state)
{
    (void)state;
    for (size_t align = sizeof(void *); align <= 16 * MIB; align *= 2) {
        void *block = NULL;
        errno = ERRNO_UNTOUCHED;
        assert_int_equal(posix_memalign(&block, align, 3 * align), 0);
        assert_int_equal(errno, ERRNO_UNTOUCHED);
        free(block);
    }
}

static void posix_memalign_never_lets_two_live_blocks_overlap(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    static void *blocks[COUNT];
    static size_t sizes[COUNT];
    uint64_t random = seed_choose(__func__);
    for (size_t round = 0; round < 20 * COUNT; round++) {
        size_t i = random_next(&random) % COUNT;
        size_t align = (size_t)8 << random_next(&random) % 12;
        assert_all_pattern(blocks[i], sizes[i], i);
        free(blocks[i]);
        sizes[i] = random_size(&random, 40 * KIB);
        assert_int_equal(posix_memalign(&blocks[i], align, sizes[i]), 0);
        assert_aligned(blocks[i], align);
        pattern_fill(blocks[i], sizes[i], i);
    }
    for (size_t i = 0; i < COUNT; i++) {
        assert_all_pattern(blocks[i], sizes[i], i);
        free(blocks[i]);
    }
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(posix_memalign_aligns_to_every_power_of_two),
        cmocka_unit_test(posix_memalign_aligns_every_size_up_to_8_kib),
        cmocka_unit_test(posix_memalign_of_nothing_gives_blocks_of_their_own),
        cmocka_unit_test(posix_memalign_refuses_other_alignments_with_einval),
        cmocka_unit_test(posix_memalign_refuses_the_impossible_with_enomem),
        cmocka_unit_test(posix_memalign_refuses_impossible_alignments_with_enomem),
        cmocka_unit_test(posix_memalign_that_succeeds_leaves_errno_alone),
        cmocka_unit_test(posix_memalign_never_lets_two_live_blocks_overlap),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
