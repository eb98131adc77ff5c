// Protects: the contract of heap.h: sizes, zeroes, alignment, contents across resizing, errno, want
// of memory, fork, and figures that add up.
#include "heap_test.h"

#include "../base/dying.h"
#include "base/align.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const size_t sizes[] = {0,     1,      15,      16,    17,      64,         65,
                               100,   511,    512,     513,   1000,    4095,       4096,
                               4097,  8192,   20000,   32767, 32768,   32769,      40000,
                               65536, 100000, MIB - 1, MIB,   MIB + 1, 3 * MIB + 5};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static void expect_zero(const char *block, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (block[i]) fail_msg("byte %zu of %zu is not zero", i, size);
    }
}

static void blocks_are_aligned_as_large_as_promised_and_apart(void **state)
{
    (void)state;
    set_direct_size(MIB);
    unsigned char *blocks[SIZES];
    for (size_t i = 0; i < SIZES; i++) {
        blocks[i] = heap_alloc(sizes[i]);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        assert_true(heap_block_size(blocks[i]) >= sizes[i]);
        assert_in_range(heap_block_size(blocks[i]), heap_size_for(sizes[i], 1),
                        sizes[i] + sizes[i] / 4 + PAGE_SIZE);
        memset(blocks[i], (int)i, heap_block_size(blocks[i]));
    }
    for (size_t i = 0; i < SIZES; i++) {
        for (size_t j = 0; j < heap_block_size(blocks[i]); j++) {
            if (blocks[i][j] != i) fail_msg("block %zu, byte %zu", i, j);
        }
        heap_free(blocks[i]);
    }
    assert_int_equal(heap_check().live_blocks, 0);
}

static void zeroed_blocks_are_zero_whatever_was_there(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < SIZES; i++) {
            char *block = heap_alloc_zeroed(sizes[i]);
            expect_zero(block, sizes[i]);
            memset(block, 0xaa, heap_block_size(block));
            heap_free(block);
        }
    }
}

static void aligned_blocks_stand_at_multiples_of_any_power_of_two(void **state)
{
    (void)state;
    for (size_t align = 1; align <= 64 * MIB; align *= 2) {
        for (size_t i = 0; i < SIZES; i += 3) {
            char *blocks[2] = {heap_alloc_aligned(sizes[i], align),
                               heap_alloc_aligned(sizes[i], align)};
            for (size_t j = 0; j < 2; j++) {
                assert_non_null(blocks[j]);
                assert_int_equal((uintptr_t)blocks[j] % align, 0);
                assert_int_equal((uintptr_t)blocks[j] % 16, 0);
                assert_true(heap_block_size(blocks[j]) >= sizes[i]);
                assert_int_equal(heap_block_size(blocks[j]), heap_size_for(sizes[i], align));
                memset(blocks[j], 1, sizes[i]);
            }
            heap_free(blocks[0]);
            heap_free(blocks[1]);
        }
    }
    assert_int_equal(heap_check().live_blocks, 0);
}

static void fill(char *block, size_t size)
{
    for (size_t i = 0; i < size; i++) block[i] = (char)(i * 7 + i / 251);
}

static void expect_filled(const char *block, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (block[i] != (char)(i * 7 + i / 251)) fail_msg("byte %zu of %zu", i, size);
    }
}

static void reallocation_keeps_bytes_from_every_size_to_every_other(void **state)
{
    (void)state;
    set_direct_size(MIB);
    for (size_t i = 0; i < SIZES; i++) {
        for (size_t j = 0; j < SIZES; j++) {
            char *block = heap_alloc(sizes[i]);
            fill(block, sizes[i]);
            block = heap_realloc(block, sizes[j]);
            assert_non_null(block);
            expect_filled(block, sizes[i] < sizes[j] ? sizes[i] : sizes[j]);
            assert_true(heap_block_size(block) >= sizes[j]);
            memset(block, 1, sizes[j]);
            heap_free(block);
        }
    }
    assert_int_equal(heap_check().live_blocks, 0);
}

static void resizing_in_place_says_whether_it_did(void **state)
{
    (void)state;
    set_direct_size(MIB);
    for (size_t i = 0; i < SIZES; i++) {
        for (size_t j = 0; j < SIZES; j++) {
            char *block = heap_alloc(sizes[i]);
            fill(block, sizes[i]);
            size_t before = heap_block_size(block);
            bool is_done = heap_resize(block, sizes[j]);
            if (sizes[j] <= before) assert_true(is_done);
            if (is_done) assert_true(heap_block_size(block) >= sizes[j]);
            if (!is_done) assert_int_equal(heap_block_size(block), before);
            expect_filled(block, sizes[i] < sizes[j] ? sizes[i] : sizes[j]);
            heap_free(block);
        }
    }
    assert_int_equal(heap_check().live_blocks, 0);
}

// Doubling, as programs with growing arrays do: the contents survive every move.
static void a_block_that_grows_and_grows_keeps_its_bytes(void **state)
{
    (void)state;
    char *block = heap_alloc(1);
    block[0] = 0;
    for (size_t size = 1; size < 40 * MIB; size = size * 3 / 2 + 1) {
        expect_filled(block, size < 5000 ? size : 5000);
        block = heap_realloc(block, size * 3 / 2 + 1);
        fill(block, size * 3 / 2 + 1);
    }
    heap_free(block);
    assert_int_equal(heap_check().live_blocks, 0);
}

static void errno_changes_with_failure_only(void **state)
{
    (void)state;
    errno = 77;
    void *block = heap_alloc(100);
    block = heap_realloc(block, 100000);
    (void)heap_resize(block, SIZE_MAX);
    heap_free(block);
    heap_free(heap_alloc_zeroed(5 * MIB));
    heap_free(heap_alloc_aligned(100, 8192));
    heap_free(NULL);
    (void)heap_trim(0);
    assert_int_equal(errno, 77);
    const size_t huge[] = {(size_t)1 << 46, PTRDIFF_MAX - 1, PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1,
                           SIZE_MAX - 4096, SIZE_MAX - 1,    SIZE_MAX};
    for (size_t i = 0; i < sizeof huge / sizeof huge[0]; i++) {
        errno = 0;
        assert_null(heap_alloc(huge[i]));
        assert_int_equal(errno, ENOMEM);
        errno = 0;
        assert_null(heap_alloc_zeroed(huge[i]));
        assert_int_equal(errno, ENOMEM);
        errno = 0;
        assert_null(heap_alloc_aligned(huge[i], 64));
        assert_int_equal(errno, ENOMEM);
        errno = 0;
        assert_null(heap_alloc_aligned(100, (size_t)1 << 63));
        assert_int_equal(errno, ENOMEM);
    }
    assert_int_equal(heap_size_for(SIZE_MAX, 16), 0);
    assert_int_equal(heap_size_for(16, (size_t)1 << 63), 0);
    (void)heap_check();
}

static void figures_add_up(void **state)
{
    (void)state;
    set_direct_size(MIB);
    void *blocks[] = {heap_alloc(100), heap_alloc(5000), heap_alloc(100000), heap_alloc(2 * MIB)};
    heap_free(heap_alloc(300 * KIB)); // free, and perhaps kept for the next
    struct heap_census census = heap_check();
    struct heap_stats stats;
    heap_stats(&stats);
    assert_int_equal(stats.free_dirty_bytes, census.dirty_bytes + census.kept_bytes);
    assert_int_equal(stats.free_clean_bytes, census.clean_bytes);
    assert_int_equal(stats.mapped_bytes,
                     census.in_use_bytes + stats.free_dirty_bytes + stats.free_clean_bytes);
    assert_int_equal(stats.direct_blocks, 1);
    assert_int_equal(stats.direct_bytes, 2 * MIB);
    assert_true(stats.mapped_bytes_peak >= stats.mapped_bytes + stats.direct_bytes);
    assert_true(stats.metadata_bytes > 0);
    // Blocks on free lists count as live here; those of kept runs must not.
    assert_true(stats.live_block_bytes <= census.in_use_bytes);
    assert_true(stats.live_blocks >= 3);
    struct heap_class_stats rows[CLASS_COUNT];
    size_t count = heap_class_stats(rows, CLASS_COUNT);
    assert_int_equal(count, CLASS_COUNT - 1);
    size_t spans = 0;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(rows[i].block_size, size_class_size((unsigned)i + 1));
        spans += rows[i].spans;
    }
    assert_int_equal(spans, census.small_spans);
    assert_true(rows[size_class_of(5000) - 1].live_blocks >= 1);
    for (size_t i = 0; i < 4; i++) heap_free(blocks[i]);
}

static void settings_are_what_was_set(void **state)
{
    (void)state;
    struct heap_settings before = heap_settings();
    struct heap_settings settings = {.direct_size_min = 123456,
                                     .dirty_bytes_keep = 77,
                                     .purge_delay_ms = 5,
                                     .use_helper = false};
    heap_configure(&settings);
    struct heap_settings now = heap_settings();
    assert_int_equal(now.direct_size_min, 123456);
    assert_int_equal(now.dirty_bytes_keep, 77);
    assert_int_equal(now.purge_delay_ms, 5);
    assert_false(now.use_helper);
    assert_int_equal(page_heap_figures().dirty_keep, 77);
    heap_configure(&before);
}

static void trimming_returns_what_is_free_but_what_is_to_be_kept(void **state)
{
    (void)state;
    char *blocks[100];
    for (size_t i = 0; i < 100; i++) memset(blocks[i] = heap_alloc(50000), 1, 50000);
    for (size_t i = 0; i < 100; i++) heap_free(blocks[i]);
    (void)heap_trim(MIB);
    assert_true(page_heap_figures().dirty_bytes <= MIB);
    (void)heap_trim(0);
    assert_int_equal(page_heap_figures().dirty_bytes, 0);
    assert_int_equal(heap_trim(0), 0);
    (void)heap_check();
}

// --- fork
// ------------------------------------------------------------------------------------------

static void *churn(void *stop)
{
    unsigned seed = (unsigned)(uintptr_t)&seed;
    void *blocks[64] = {NULL};
    while (!__atomic_load_n((bool *)stop, __ATOMIC_RELAXED)) {
        void **block = &blocks[(size_t)rand_r(&seed) % 64];
        heap_free(*block);
        *block = heap_alloc((size_t)rand_r(&seed) % 60000);
    }
    for (size_t i = 0; i < 64; i++) heap_free(blocks[i]);
    return NULL;
}

static void use_heap_in_child(char **blocks)
{
    for (size_t i = 0; i < 500; i++) heap_free(blocks[i]); // the parent's
    for (size_t i = 0; i < 500; i++) memset(blocks[i] = heap_alloc(i * 50), 1, i * 50);
    for (size_t i = 0; i < 500; i++) heap_free(blocks[i]);
    (void)heap_trim(0);
}

static void a_child_forked_amid_traffic_has_a_heap_that_works(void **state)
{
    (void)state;
    bool stop = false;
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, churn, &stop);
    for (int round = 0; round < 20; round++) {
        char *blocks[500];
        for (size_t i = 0; i < 500; i++) blocks[i] = heap_alloc(i * 40);
        heap_fork_prepare();
        pid_t child = fork();
        if (child == 0) {
            heap_fork_child();
            use_heap_in_child(blocks);
            _exit(0);
        }
        heap_fork_parent();
        assert_true(child > 0);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        for (size_t i = 0; i < 500; i++) heap_free(blocks[i]);
    }
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    assert_int_equal(heap_check().live_blocks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned_as_large_as_promised_and_apart),
        cmocka_unit_test(zeroed_blocks_are_zero_whatever_was_there),
        cmocka_unit_test(aligned_blocks_stand_at_multiples_of_any_power_of_two),
        cmocka_unit_test(reallocation_keeps_bytes_from_every_size_to_every_other),
        cmocka_unit_test(resizing_in_place_says_whether_it_did),
        cmocka_unit_test(a_block_that_grows_and_grows_keeps_its_bytes),
        cmocka_unit_test(errno_changes_with_failure_only),
        cmocka_unit_test(figures_add_up),
        cmocka_unit_test(settings_are_what_was_set),
        cmocka_unit_test(trimming_returns_what_is_free_but_what_is_to_be_kept),
        cmocka_unit_test(a_child_forked_amid_traffic_has_a_heap_that_works),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
