// Where mete keeps a promise of the manual that glibc 2.36 itself does not keep to the letter, so
// this program runs under the preload object alone.
#include "family.h"

#include <dlfcn.h>

#pragma GCC diagnostic ignored "-Wdeprecated-declarations" // mallinfo is still called

// glibc's fields are ints that wrap, as its manual page warns; ours stop at the largest int.
static void mallinfo_saturates(void **state)
{
    (void)state;
    void *first = pointer_hidden(malloc(size_hidden(3 * GIB)));
    void *second = pointer_hidden(malloc(size_hidden(2 * GIB)));
    assert_non_null(first);
    assert_non_null(second);
    assert_int_equal(mallinfo().hblkhd, INT32_MAX);
    assert_true(mallinfo2().hblkhd >= 5 * GIB);
    free(first);
    free(second);
    assert_true(mallinfo().hblkhd < 16 * (int)MIB);
}

// glibc skips what a thread keeps for itself.
static void mallopt_perturb_reaches_small_blocks_that_are_reused(void **state)
{
    (void)state;
    assert_int_equal(mallopt(M_PERTURB, 0xa5), 1);
    for (size_t size = 1; size <= 3 * KIB; size += 7) {
        for (int round = 0; round < 3; round++) {
            void *block = pointer_hidden(malloc(size));
            assert_non_null(block);
            assert_true(is_filled_with(block, size, 0x5a));
            memset(block, 1, size);
            free(block);
        }
    }
    assert_int_equal(mallopt(M_PERTURB, 0), 1);
}

static void mallopt_perturb_reaches_aligned_blocks(void **state)
{
    (void)state;
    assert_int_equal(mallopt(M_PERTURB, 0xa5), 1);
    for (size_t align = 16; align <= 64 * KIB; align *= 4) {
        for (int round = 0; round < 3; round++) {
            void *block = pointer_hidden(memalign(align, 3 * align));
            assert_non_null(block);
            assert_true(is_filled_with(block, 3 * align, 0x5a));
            free(block);
            assert_int_equal(posix_memalign(&block, align, 500), 0);
            assert_true(is_filled_with(block, 500, 0x5a));
            free(block);
        }
    }
    assert_int_equal(mallopt(M_PERTURB, 0), 1);
}

// The manual promises nothing; a caller that never resizes needs what it asked, and no huge slack.
static void usable_size_has_little_slack(void **state)
{
    (void)state;
    for (size_t size = 1; size <= MIB; size += size / 50 + 1) {
        void *block = pointer_hidden(malloc(size));
        assert_non_null(block);
        size_t usable = malloc_usable_size(block);
        // A quarter: sizes that are rare so far share blocks (four sizes per doubling).
        size_t most = size <= 128 ? size + 15 : size <= 32 * KIB ? size + size / 4 : size + 4095;
        assert_in_range(usable, size, most);
        free(block);
    }
}

// jemalloc 5.3's xallocx sometimes returns a size that it did not make; ours is what sallocx says.
static void xallocx_says_the_size_it_made(void **state)
{
    (void)state;
    size_t (*xallocx_found)(void *, size_t, size_t, int) = NULL;
    *(void **)&xallocx_found = dlsym(RTLD_DEFAULT, "xallocx");
    assert_non_null(*(void **)&xallocx_found);
    for (size_t size = 1; size <= 64 * MIB; size = size * 3 + 1) {
        void *block = pointer_hidden(malloc(size));
        assert_non_null(block);
        pattern_fill(block, size, size);
        size_t grown = xallocx_found(block, size * 2, size, 0);
        assert_int_equal(grown, malloc_usable_size(block));
        size_t most = xallocx_found(block, size, SIZE_MAX - size, 0);
        assert_int_equal(most, malloc_usable_size(block));
        assert_all_pattern(block, size, size);
        memset(block, 1, most);
        free(block);
    }
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(mallinfo_saturates),
        cmocka_unit_test(mallopt_perturb_reaches_small_blocks_that_are_reused),
        cmocka_unit_test(mallopt_perturb_reaches_aligned_blocks),
        cmocka_unit_test(usable_size_has_little_slack),
        cmocka_unit_test(xallocx_says_the_size_it_made),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
