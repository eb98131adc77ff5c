// aligned_alloc (C17 7.22.3.1), memalign, valloc and pvalloc (glibc's manual and
// malloc_usable_size).
#include "family.h"

#include <unistd.h>

static size_t power_of_two_from(size_t value)
{
    size_t power = 16;
    while (power < value) power *= 2;
    return power;
}

static void memalign_aligns_to_every_power_of_two(void **state)
{
    (void)state;
    for (size_t align = 1; align <= GIB; align *= 2) {
        for (size_t size = 0; size <= 3 * MIB; size = size * 5 + 1) {
            void *block = pointer_hidden(memalign(align, size));
            assert_non_null(block);
            assert_aligned(block, align);
            assert_aligned(block, 16);
            assert_true(malloc_usable_size(block) >= size);
            pattern_fill(block, size, align);
            assert_all_pattern(block, size, align);
            free(block);
        }
    }
}

static void memalign_rounds_other_alignments_up_to_a_power_of_two(void **state)
{
    (void)state;
    for (size_t align = 0; align <= 5000; align++) {
        void *blocks[3];
        for (size_t i = 0; i < 3; i++) {
            blocks[i] = pointer_hidden(memalign(size_hidden(align), 40 + 300 * i));
            assert_non_null(blocks[i]);
            assert_aligned(blocks[i], power_of_two_from(align));
            memset(blocks[i], 1, 40 + 300 * i);
        }
        for (size_t i = 0; i < 3; i++) free(blocks[i]);
    }
    void *block = pointer_hidden(memalign(size_hidden(MIB + 1), 10));
    assert_non_null(block);
    assert_aligned(block, 2 * MIB);
    free(block);
}

static void memalign_refuses_the_impossible_with_enomem(void **state)
{
    (void)state;
    for (size_t align = 1; align <= GIB; align *= 8) {
        for (size_t i = 0; i < impossible_sizes_count; i++) {
            errno = 0;
            assert_null(pointer_hidden(memalign(align, size_hidden(impossible_sizes[i]))));
            assert_int_equal(errno, ENOMEM);
        }
    }
    for (unsigned shift = 47; shift < 64; shift++) {
        errno = 0;
        assert_null(pointer_hidden(memalign(size_hidden((size_t)1 << shift), 64)));
        assert_int_equal(errno, ENOMEM);
    }
}

static void memalign_refuses_alignments_with_no_power_of_two_above(void **state)
{
    (void)state;
    static const size_t aligns[] = {SIZE_MAX, SIZE_MAX - 15, ((size_t)1 << 63) + 1};
    for (size_t i = 0; i < sizeof aligns / sizeof aligns[0]; i++) {
        errno = 0;
        assert_null(pointer_hidden(memalign(size_hidden(aligns[i]), 64)));
        assert_int_equal(errno, EINVAL);
    }
}

static void memalign_that_succeeds_leaves_errno_alone(void **state)
{
    (void)state;
    for (size_t align = 1; align <= 16 * MIB; align *= 2) {
        errno = ERRNO_UNTOUCHED;
        void *block = pointer_hidden(memalign(align, 3 * align));
        assert_int_equal(errno, ERRNO_UNTOUCHED);
        assert_non_null(block);
        free(block);
    }
}

static void memalign_of_a_gibibyte_does_not_use_a_gibibyte(void **state)
{
    (void)state;
    size_t before = resident_bytes();
    void *blocks[4];
    for (size_t i = 0; i < 4; i++) {
        blocks[i] = pointer_hidden(memalign(GIB, 4096));
        assert_non_null(blocks[i]);
        assert_aligned(blocks[i], GIB);
        pattern_fill(blocks[i], 4096, i);
    }
    size_t after = resident_bytes();
    assert_in_range(after > before ? after - before : 0, 0, 4 * MIB);
    for (size_t i = 0; i < 4; i++) {
        assert_all_pattern(blocks[i], 4096, i);
        free(blocks[i]);
    }
}

static void aligned_alloc_aligns_to_every_power_of_two(void **state)
{
    (void)state;
    for (size_t align = 1; align <= GIB; align *= 2) {
        for (size_t count = 0; count <= 5 && align * count <= 64 * MIB; count++) {
            void *block = pointer_hidden(aligned_alloc(align, count * align));
            assert_non_null(block);
            assert_aligned(block, align);
            pattern_fill(block, count * align, align);
            assert_all_pattern(block, count * align, align);
            free(block);
        }
    }
}

// C11 asked for a multiple; since its report 460 any size will do, and glibc always took any.
static void aligned_alloc_takes_sizes_that_are_no_multiple(void **state)
{
    (void)state;
    for (size_t align = 16; align <= 64 * KIB; align *= 4) {
        for (size_t size = 1; size <= 100000; size = size * 2 + 1) {
            void *block = pointer_hidden(aligned_alloc(align, size_hidden(size)));
            assert_non_null(block);
            assert_aligned(block, align);
            memset(block, 1, size);
            free(block);
        }
    }
}

// glibc took them until 2.37 (rounded up) and refuses them since 2.38; C allows a refusal alone.
static void aligned_alloc_rounds_other_alignments_up_or_refuses_them(void **state)
{
    (void)state;
    for (size_t align = 3; align <= 5000; align += 2) {
        errno = 0;
        void *block = pointer_hidden(aligned_alloc(size_hidden(align), 2 * align));
        if (!block) {
            assert_int_equal(errno, EINVAL);
            continue;
        }
        assert_aligned(block, power_of_two_from(align));
        memset(block, 1, 2 * align);
        free(block);
    }
}

static void aligned_alloc_refuses_the_impossible_with_enomem(void **state)
{
    (void)state;
    for (size_t align = 1; align <= GIB; align *= 8) {
        for (size_t i = 0; i < impossible_sizes_count; i++) {
            errno = 0;
            assert_null(pointer_hidden(aligned_alloc(align, size_hidden(impossible_sizes[i]))));
            assert_int_equal(errno, ENOMEM);
        }
    }
}

static void valloc_aligns_to_pages(void **state)
{
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < edge_sizes_count; i++) {
        errno = ERRNO_UNTOUCHED;
        void *block = pointer_hidden(valloc(edge_sizes[i]));
        assert_int_equal(errno, ERRNO_UNTOUCHED);
        assert_non_null(block);
        assert_aligned(block, page);
        assert_true(malloc_usable_size(block) >= edge_sizes[i]);
        pattern_fill(block, edge_sizes[i], i);
        assert_all_pattern(block, edge_sizes[i], i);
        free(block);
    }
}

static void pvalloc_aligns_to_pages_and_gives_whole_ones(void **state)
{
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < edge_sizes_count; i++) {
        errno = ERRNO_UNTOUCHED;
        void *block = pointer_hidden(pvalloc(edge_sizes[i]));
        assert_int_equal(errno, ERRNO_UNTOUCHED);
        assert_non_null(block);
        assert_aligned(block, page);
        size_t whole = (edge_sizes[i] + page - 1) / page * page;
        assert_true(malloc_usable_size(block) >= whole);
        pattern_fill(block, whole, i);
        assert_all_pattern(block, whole, i);
        free(block);
    }
}

static void valloc_and_pvalloc_refuse_the_impossible_with_enomem(void **state)
{
    (void)state;
    for (size_t i = 0; i < impossible_sizes_count; i++) {
        errno = 0;
        assert_null(pointer_hidden(valloc(size_hidden(impossible_sizes[i]))));
        assert_int_equal(errno, ENOMEM);
        errno = 0; // whole pages above SIZE_MAX - 4095 are none
        assert_null(pointer_hidden(pvalloc(size_hidden(impossible_sizes[i]))));
        assert_int_equal(errno, ENOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(memalign_aligns_to_every_power_of_two),
        cmocka_unit_test(memalign_rounds_other_alignments_up_to_a_power_of_two),
        cmocka_unit_test(memalign_refuses_the_impossible_with_enomem),
        cmocka_unit_test(memalign_refuses_alignments_with_no_power_of_two_above),
        cmocka_unit_test(memalign_that_succeeds_leaves_errno_alone),
        cmocka_unit_test(memalign_of_a_gibibyte_does_not_use_a_gibibyte),
        cmocka_unit_test(aligned_alloc_aligns_to_every_power_of_two),
        cmocka_unit_test(aligned_alloc_takes_sizes_that_are_no_multiple),
        cmocka_unit_test(aligned_alloc_rounds_other_alignments_up_or_refuses_them),
        cmocka_unit_test(aligned_alloc_refuses_the_impossible_with_enomem),
        cmocka_unit_test(valloc_aligns_to_pages),
        cmocka_unit_test(pvalloc_aligns_to_pages_and_gives_whole_ones),
        cmocka_unit_test(valloc_and_pvalloc_refuse_the_impossible_with_enomem),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
