// reallocarray, by POSIX issue 8 and glibc's manual: realloc whose product cannot overflow.
#include "family.h"

static void reallocarray_of_null_is_malloc_of_the_product(void **state)
{
    (void)state;
    for (size_t count = 1; count <= 3000; count += 119) {
        for (size_t size = 1; size <= 500; size += 37) {
            void *block = pointer_hidden(reallocarray(NULL, count, size));
            assert_non_null(block);
            assert_aligned(block, 16);
            assert_true(malloc_usable_size(block) >= count * size);
            pattern_fill(block, count * size, count);
            assert_all_pattern(block, count * size, count);
            free(block);
        }
    }
}

static void reallocarray_keeps_the_bytes(void **state)
{
    (void)state;
    size_t count = 1;
    void *block = pointer_hidden(reallocarray(NULL, count, 24));
    assert_non_null(block);
    pattern_fill(block, count * 24, count);
    while (count < 3000000) {
        size_t grown = count * 2 + 1;
        errno = ERRNO_UNTOUCHED;
        block = pointer_hidden(reallocarray(block, grown, 24));
        assert_int_equal(errno, ERRNO_UNTOUCHED);
        assert_non_null(block);
        assert_all_pattern(block, count * 24, count);
        count = grown;
        pattern_fill(block, count * 24, count);
    }
    size_t filled = count;
    while (count > 1) {
        count /= 3;
        block = pointer_hidden(reallocarray(block, count + 1, 24));
        assert_non_null(block);
        assert_all_pattern(block, (count + 1) * 24, filled);
    }
    free(block);
}

static void reallocarray_refuses_overflow_and_leaves_the_block_alone(void **state)
{
    (void)state;
    static const size_t overflows[][2] = {
        {SIZE_MAX, SIZE_MAX},
        {SIZE_MAX, 2},
        {2, SIZE_MAX},
        {SIZE_MAX / 2 + 1, 2},
        {(size_t)1 << 32, (size_t)1 << 32},
        {((size_t)1 << 32) + 1, (size_t)1 << 32},
        {SIZE_MAX / 16 + 1, 17},
        {17, SIZE_MAX / 16 + 1},
        {SIZE_MAX / 3 + 1, 3},
        {(size_t)1 << 63, 1},
        {1, SIZE_MAX - 15},
        {PTRDIFF_MAX, 1},
    };
    void *block = pointer_hidden(malloc(1000));
    assert_non_null(block);
    pattern_fill(block, 1000, 3);
    for (size_t i = 0; i < sizeof overflows / sizeof overflows[0]; i++) {
        size_t count = size_hidden(overflows[i][0]);
        size_t size = size_hidden(overflows[i][1]);
        errno = 0;
        assert_null(pointer_hidden(reallocarray(pointer_hidden(block), count, size)));
        assert_int_equal(errno, ENOMEM);
        errno = 0;
        assert_null(pointer_hidden(reallocarray(NULL, count, size)));
        assert_int_equal(errno, ENOMEM);
        assert_all_pattern(block, 1000, 3);
    }
    free(block);
}

static void reallocarray_to_nothing_frees_and_gives_null(void **state)
{
    (void)state;
    static const size_t nothing[][2] = {{0, 0}, {0, 8}, {8, 0}, {SIZE_MAX, 0}, {0, SIZE_MAX}};
    size_t before = resident_bytes();
    for (size_t round = 0; round < 4000; round++) {
        void *block = pointer_hidden(malloc(100 * KIB));
        assert_non_null(block);
        pages_touch(block, 100 * KIB);
        errno = ERRNO_UNTOUCHED;
        size_t count = size_hidden(nothing[round % 5][0]);
        assert_null(pointer_hidden(reallocarray(block, count, nothing[round % 5][1])));
        assert_int_equal(errno, ERRNO_UNTOUCHED);
    }
    size_t after = resident_bytes();
    assert_in_range(after > before ? after - before : 0, 0, 16 * MIB);
}

static void reallocarray_of_null_to_nothing_gives_a_block(void **state)
{
    (void)state;
    void *block = pointer_hidden(reallocarray(NULL, size_hidden(0), 8));
    assert_non_null(block);
    free(block);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(reallocarray_of_null_is_malloc_of_the_product),
        cmocka_unit_test(reallocarray_keeps_the_bytes),
        cmocka_unit_test(reallocarray_refuses_overflow_and_leaves_the_block_alone),
        cmocka_unit_test(reallocarray_to_nothing_frees_and_gives_null),
        cmocka_unit_test(reallocarray_of_null_to_nothing_gives_a_block),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
