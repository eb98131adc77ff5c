// free and cfree, by C17 7.22.3.3, POSIX (which from issue 8 on has free keep errno) and glibc's
// manual, "Freeing Memory Allocated with malloc".
#include "family.h"

// Every function of the family gives blocks that free takes.
static void *block_from(unsigned kind, size_t size)
{
    void *block = NULL;
    switch (kind) {
    case 0: return malloc(size);
    case 1: return calloc(size, 1);
    case 2: return realloc(NULL, size);
    case 3: return reallocarray(NULL, size, 1);
    case 4: return posix_memalign(&block, 256, size) == 0 ? block : NULL;
    case 5: return aligned_alloc(64, size);
    case 6: return memalign(1024, size);
    case 7: return valloc(size);
    case 8: return pvalloc(size);
    case 9: return realloc(malloc(size / 2 + 1), size + 1);
    default: return strndup("a block that the C library makes", size);
    }
}
enum { KINDS = 11 };

static void free_of_null_does_nothing(void **state)
{
    (void)state;
    errno = ERRNO_UNTOUCHED;
    for (int i = 0; i < 1000; i++) free(pointer_hidden(NULL));
    assert_int_equal(errno, ERRNO_UNTOUCHED);
}

static void free_takes_what_every_function_gave(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        for (size_t i = 0; i < edge_sizes_count; i++) {
            void *block = pointer_hidden(block_from(kind, edge_sizes[i]));
            assert_non_null(block);
            free(block);
        }
    }
}

static void free_leaves_errno_alone(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        for (size_t i = 0; i < edge_sizes_count; i++) {
            void *block = pointer_hidden(block_from(kind, edge_sizes[i]));
            assert_non_null(block);
            errno = ERRNO_UNTOUCHED;
            free(block);
            assert_int_equal(errno, ERRNO_UNTOUCHED);
        }
    }
}

static void free_that_unmaps_leaves_errno_alone(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        void *blocks[8];
        for (size_t i = 0; i < 8; i++) {
            blocks[i] = pointer_hidden(malloc(64 * MIB));
            assert_non_null(blocks[i]);
        }
        errno = ERRNO_UNTOUCHED;
        for (size_t i = 0; i < 8; i++) free(blocks[i]);
        assert_int_equal(errno, ERRNO_UNTOUCHED);
    }
}

enum { COUNT = 5000 };

static void free_takes_blocks_in_any_order(void **state)
{
    (void)state;
    static void *blocks[COUNT];
    uint64_t random = seed_choose(__func__);
    for (int order = 0; order < 3; order++) {
        for (size_t i = 0; i < COUNT; i++) {
            blocks[i] = pointer_hidden(malloc(16 + i % 700));
            assert_non_null(blocks[i]);
            pattern_fill(blocks[i], 16 + i % 700, i);
        }
        for (size_t i = 0; i < COUNT; i++) {
            size_t victim = order == 0 ? i : COUNT - 1 - i;
            while (order == 2 && !blocks[victim]) victim = random_next(&random) % COUNT;
            assert_all_pattern(blocks[victim], 16 + victim % 700, victim);
            free(blocks[victim]);
            blocks[victim] = NULL;
        }
    }
}

static void free_harms_no_neighbour(void **state)
{
    (void)state;
    static void *blocks[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = pointer_hidden(malloc(48));
        assert_non_null(blocks[i]);
        pattern_fill(blocks[i], 48, i);
    }
    for (size_t i = 0; i < COUNT; i += 2) free(blocks[i]);
    for (size_t i = 1; i < COUNT; i += 2) assert_all_pattern(blocks[i], 48, i);
    for (size_t i = 1; i < COUNT; i += 2) free(blocks[i]);
}

static void free_gives_much_memory_back_for_other_sizes(void **state)
{
    (void)state;
    // 64 MiB of one size after the other; who keeps each size for itself ends at 512 MiB.
    size_t before = resident_bytes();
    static void *blocks[64 * 1024];
    for (size_t size = 1024; size <= 128 * KIB; size *= 2) {
        size_t count = 64 * MIB / size;
        for (size_t i = 0; i < count; i++) {
            blocks[i] = pointer_hidden(malloc(size));
            assert_non_null(blocks[i]);
            pages_touch(blocks[i], size);
        }
        for (size_t i = 0; i < count; i++) free(blocks[i]);
    }
    size_t after = resident_bytes();
    size_t grown = after > before ? after - before : 0;
    assert_in_range(grown, 0, 160 * MIB);
}

// cfree left the headers and the linker's view in glibc 2.26; old programs ask for this version.
__asm__(".symver cfree_of_old_programs, cfree@GLIBC_2.2.5");
void cfree_of_old_programs(void *block);

static void cfree_frees(void **state)
{
    (void)state;
    cfree_of_old_programs(NULL);
    size_t before = resident_bytes();
    for (int round = 0; round < 2000; round++) {
        void *block = pointer_hidden(calloc(100, 1024));
        assert_non_null(block);
        pages_touch(block, 100 * KIB);
        errno = ERRNO_UNTOUCHED;
        cfree_of_old_programs(block);
        assert_int_equal(errno, ERRNO_UNTOUCHED);
    }
    // Had it freed nothing, this would be 200 MiB.
    size_t after = resident_bytes();
    assert_in_range(after > before ? after - before : 0, 0, 16 * MIB);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(free_of_null_does_nothing),
        cmocka_unit_test(free_takes_what_every_function_gave),
        cmocka_unit_test(free_leaves_errno_alone),
        cmocka_unit_test(free_that_unmaps_leaves_errno_alone),
        cmocka_unit_test(free_takes_blocks_in_any_order),
        cmocka_unit_test(free_harms_no_neighbour),
        cmocka_unit_test(free_gives_much_memory_back_for_other_sizes),
        cmocka_unit_test(cfree_frees),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
