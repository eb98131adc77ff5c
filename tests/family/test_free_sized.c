// free_sized and free_aligned_sized, by C23 7.24.3.4 and 7.24.3.5. glibc has had them since 2.43
// only, so they are found by name, and this program runs under the preload object alone.
#include "family.h"

#include <dlfcn.h>

static void (*free_sized_found)(void *, size_t);
static void (*free_aligned_sized_found)(void *, size_t, size_t);

static int symbols_find(void **state)
{
    (void)state;
    *(void **)&free_sized_found = dlsym(RTLD_DEFAULT, "free_sized");
    *(void **)&free_aligned_sized_found = dlsym(RTLD_DEFAULT, "free_aligned_sized");
    return !free_sized_found || !free_aligned_sized_found;
}

static void free_sized_of_null_does_nothing(void **state)
{
    (void)state;
    errno = ERRNO_UNTOUCHED;
    for (size_t size = 0; size < 100000; size = size * 3 + 1) free_sized_found(NULL, size);
    assert_int_equal(errno, ERRNO_UNTOUCHED);
}

static void free_sized_takes_what_malloc_calloc_and_realloc_gave(void **state)
{
    (void)state;
    for (size_t i = 0; i < edge_sizes_count; i++) {
        size_t size = edge_sizes[i];
        void *blocks[] = {
            pointer_hidden(malloc(size)),
            pointer_hidden(calloc(1, size)),
            pointer_hidden(calloc(size, 1)),
            pointer_hidden(realloc(NULL, size)),
            pointer_hidden(realloc(malloc(size / 2), size + 1)),
        };
        for (size_t j = 0; j < 5; j++) {
            assert_non_null(blocks[j]);
            errno = ERRNO_UNTOUCHED;
            free_sized_found(blocks[j], j == 4 ? size + 1 : size);
            assert_int_equal(errno, ERRNO_UNTOUCHED);
        }
    }
}

static void free_sized_takes_every_size_up_to_64_kib(void **state)
{
    (void)state;
    for (size_t size = 0; size <= 64 * KIB; size++) {
        void *block = pointer_hidden(malloc(size));
        assert_non_null(block);
        free_sized_found(block, size);
    }
}

static void free_sized_frees(void **state)
{
    (void)state;
    size_t before = resident_bytes();
    for (int round = 0; round < 4000; round++) {
        void *block = pointer_hidden(malloc(100 * KIB));
        assert_non_null(block);
        pages_touch(block, 100 * KIB);
        free_sized_found(block, 100 * KIB);
    }
    size_t after = resident_bytes();
    assert_in_range(after > before ? after - before : 0, 0, 16 * MIB);
}

static void free_aligned_sized_of_null_does_nothing(void **state)
{
    (void)state;
    errno = ERRNO_UNTOUCHED;
    free_aligned_sized_found(NULL, 64, 128);
    free_aligned_sized_found(NULL, 0, 0);
    assert_int_equal(errno, ERRNO_UNTOUCHED);
}

static void free_aligned_sized_takes_what_aligned_alloc_gave(void **state)
{
    (void)state;
    for (size_t align = 1; align <= 16 * MIB; align *= 2) {
        for (size_t count = 1; count <= 3; count++) {
            void *block = pointer_hidden(aligned_alloc(align, count * align));
            assert_non_null(block);
            memset(block, 1, count * align);
            errno = ERRNO_UNTOUCHED;
            free_aligned_sized_found(block, align, count * align);
            assert_int_equal(errno, ERRNO_UNTOUCHED);
        }
    }
}

static void free_aligned_sized_frees(void **state)
{
    (void)state;
    size_t before = resident_bytes();
    for (int round = 0; round < 4000; round++) {
        void *block = pointer_hidden(aligned_alloc(4096, 100 * KIB));
        assert_non_null(block);
        pages_touch(block, 100 * KIB);
        free_aligned_sized_found(block, 4096, 100 * KIB);
    }
    size_t after = resident_bytes();
    assert_in_range(after > before ? after - before : 0, 0, 16 * MIB);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(free_sized_of_null_does_nothing),
        cmocka_unit_test(free_sized_takes_what_malloc_calloc_and_realloc_gave),
        cmocka_unit_test(free_sized_takes_every_size_up_to_64_kib),
        cmocka_unit_test(free_sized_frees),
        cmocka_unit_test(free_aligned_sized_of_null_does_nothing),
        cmocka_unit_test(free_aligned_sized_takes_what_aligned_alloc_gave),
        cmocka_unit_test(free_aligned_sized_frees),
    };
    return cmocka_run_group_tests(cases, symbols_find, NULL);
}
