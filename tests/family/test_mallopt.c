// mallopt and malloc_trim, by glibc's manual, "Malloc Tunable Parameters", and their manual pages.
// Settings last as long as the process, so every case says all that it relies on.
#include "family.h"

#include <time.h>

enum { CHUNK = 8 * 1024, CHUNKS = 4096 }; // 32 MiB in blocks that need no mapping of their own
static void *chunks[CHUNKS];
static void *pin; // allocated last, so that glibc's heap cannot simply shrink from its end

static void chunks_alloc(void)
{
    for (size_t i = 0; i < CHUNKS; i++) {
        chunks[i] = pointer_hidden(malloc(CHUNK));
        assert_non_null(chunks[i]);
        pages_touch(chunks[i], CHUNK);
    }
}

static void chunks_free(void)
{
    for (size_t i = 0; i < CHUNKS; i++) free(chunks[i]);
}

static void wait_ms(long ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    (void)nanosleep(&time, NULL); // a shorter wait is told by the clock of who asked
}

static void mallopt_takes_every_parameter_of_the_manual(void **state)
{
    (void)state;
    assert_int_equal(mallopt(M_MXFAST, 64), 1);
    assert_int_equal(mallopt(M_TOP_PAD, 64 * 1024), 1);
    assert_int_equal(mallopt(M_MMAP_MAX, 65536), 1);
    assert_int_equal(mallopt(M_MMAP_THRESHOLD, 256 * 1024), 1);
    assert_int_equal(mallopt(M_TRIM_THRESHOLD, 256 * 1024), 1);
    assert_int_equal(mallopt(M_ARENA_TEST, 8), 1);
    assert_int_equal(mallopt(M_ARENA_MAX, 8), 1);
    assert_int_equal(mallopt(M_PERTURB, 0), 1);
    void *block = pointer_hidden(malloc(100));
    assert_non_null(block);
    free(block);
}

static void mallopt_mmap_threshold_decides_which_blocks_are_mappings(void **state)
{
    (void)state;
    assert_int_equal(mallopt(M_MMAP_THRESHOLD, 128 * 1024), 1);
    struct mallinfo2 before = mallinfo2();
    void *big = pointer_hidden(malloc(200 * KIB));
    assert_non_null(big);
    struct mallinfo2 with_big = mallinfo2();
    assert_int_equal(with_big.hblks, before.hblks + 1);
    assert_true(with_big.hblkhd >= before.hblkhd + 200 * KIB);
    free(big);
    struct mallinfo2 after = mallinfo2();
    assert_int_equal(after.hblks, before.hblks);
    assert_int_equal(after.hblkhd, before.hblkhd);

    assert_int_equal(mallopt(M_MMAP_THRESHOLD, 8 * 1024 * 1024), 1);
    big = pointer_hidden(malloc(200 * KIB));
    assert_non_null(big);
    assert_int_equal(mallinfo2().hblks, before.hblks);
    free(big);
    big = pointer_hidden(malloc(9 * MIB));
    assert_non_null(big);
    assert_int_equal(mallinfo2().hblks, before.hblks + 1);
    free(big);
}

static void mallopt_perturb_fills_new_blocks_with_the_complement(void **state)
{
    (void)state;
    assert_int_equal(mallopt(M_PERTURB, 0xa5), 1);
    // Above what glibc keeps per thread, which it hands out again as it is (see test_stricter.c).
    for (size_t size = 1100; size <= 3 * MIB; size = size * 3 + 1) {
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

static void mallopt_perturb_leaves_calloc_clear(void **state)
{
    (void)state;
    assert_int_equal(mallopt(M_PERTURB, 0x77), 1);
    for (size_t size = 1; size <= 3 * MIB; size = size * 3 + 1) {
        void *block = pointer_hidden(calloc(1, size));
        assert_non_null(block);
        assert_true(is_filled_with(block, size, 0));
        free(block);
    }
    assert_int_equal(mallopt(M_PERTURB, 0), 1);
}

static void mallopt_perturb_keeps_what_realloc_must_keep(void **state)
{
    (void)state;
    assert_int_equal(mallopt(M_PERTURB, 0x77), 1);
    void *block = pointer_hidden(malloc(100));
    assert_non_null(block);
    pattern_fill(block, 100, 5);
    for (size_t size = 100; size <= 3 * MIB; size = size * 2 + 1) {
        block = pointer_hidden(realloc(block, size));
        assert_non_null(block);
        assert_all_pattern(block, 100, 5);
    }
    free(block);
    assert_int_equal(mallopt(M_PERTURB, 0), 1);
}

static void mallopt_perturb_overwrites_what_is_freed(void **state)
{
    (void)state;
    assert_int_equal(mallopt(M_PERTURB, 0xa5), 1);
    // To read freed memory is a crime; here it is the point. Only the middle: the ends may be
    // links.
    enum { SIZE = 5000 };
    const volatile unsigned char *block = pointer_hidden(malloc(SIZE));
    void *behind = pointer_hidden(malloc(SIZE));
    assert_non_null(behind);
    memset((void *)(uintptr_t)block, 1, SIZE);
    free(pointer_hidden((void *)(uintptr_t)block));
    for (size_t i = 64; i < SIZE - 64; i++) assert_int_equal(block[i], 0xa5);
    free(behind);
    assert_int_equal(mallopt(M_PERTURB, 0), 1);
}

static void trim_returns_free_memory_to_the_system(void **state)
{
    (void)state;
    assert_int_equal(mallopt(M_TRIM_THRESHOLD, 1 << 30), 1);
    chunks_alloc();
    pin = pointer_hidden(malloc(CHUNK));
    size_t full = resident_bytes();
    chunks_free();
    assert_int_equal(malloc_trim(0), 1);
    size_t trimmed = resident_bytes();
    assert_in_range(trimmed, 0, full - 28 * MIB);
    // What was returned can be had again.
    chunks_alloc();
    chunks_free();
    free(pin);
}

static void trim_of_blocks_in_use_leaves_them_alone(void **state)
{
    (void)state;
    chunks_alloc();
    for (size_t i = 0; i < CHUNKS; i++) pattern_fill(chunks[i], CHUNK, i);
    for (size_t i = 0; i < CHUNKS; i += 2) free(chunks[i]);
    (void)malloc_trim(0); // 0 or 1: whether there was something to return is its affair
    for (size_t i = 1; i < CHUNKS; i += 2) {
        assert_all_pattern(chunks[i], CHUNK, i);
        free(chunks[i]);
    }
}

static void trim_leaves_errno_alone(void **state)
{
    (void)state;
    for (size_t keep = 0; keep <= GIB; keep = keep * 32 + 1) {
        errno = ERRNO_UNTOUCHED;
        int returned = malloc_trim(keep);
        assert_int_equal(errno, ERRNO_UNTOUCHED);
        assert_in_range(returned, 0, 1);
    }
    assert_in_range(malloc_trim(SIZE_MAX), 0, 1);
}

static void mallopt_trim_threshold_keeps_memory_when_high(void **state)
{
    (void)state;
    assert_int_equal(mallopt(M_TRIM_THRESHOLD, 1 << 30), 1);
    chunks_alloc();
    size_t full = resident_bytes();
    chunks_free();
    wait_ms(1200);
    assert_true(resident_bytes() + 8 * MIB >= full);
    (void)malloc_trim(0); // the next case begins clean
}

static void mallopt_trim_threshold_returns_memory_when_low(void **state)
{
    (void)state;
    assert_int_equal(mallopt(M_TRIM_THRESHOLD, 64 * 1024), 1);
    chunks_alloc();
    size_t full = resident_bytes();
    chunks_free();
    for (int i = 0; i < 50 && resident_bytes() + 28 * MIB > full; i++)
        wait_ms(100); // at once with glibc; an allocator may let memory rest for a moment
    assert_in_range(resident_bytes(), 0, full - 28 * MIB);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(mallopt_takes_every_parameter_of_the_manual),
        cmocka_unit_test(mallopt_mmap_threshold_decides_which_blocks_are_mappings),
        cmocka_unit_test(mallopt_perturb_fills_new_blocks_with_the_complement),
        cmocka_unit_test(mallopt_perturb_leaves_calloc_clear),
        cmocka_unit_test(mallopt_perturb_keeps_what_realloc_must_keep),
        cmocka_unit_test(mallopt_perturb_overwrites_what_is_freed),
        cmocka_unit_test(trim_returns_free_memory_to_the_system),
        cmocka_unit_test(trim_of_blocks_in_use_leaves_them_alone),
        cmocka_unit_test(trim_leaves_errno_alone),
        cmocka_unit_test(mallopt_trim_threshold_keeps_memory_when_high),
        cmocka_unit_test(mallopt_trim_threshold_returns_memory_when_low),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
