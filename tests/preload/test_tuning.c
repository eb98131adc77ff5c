// mallopt() and malloc_trim() against a heap that only remembers what it was told, and the filling
// that M_PERTURB turns on, against blocks in an array.

#include "heap/heap.h"
#include "preload/perturb.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

// The heap that is tuned: one block, whose size the cases decide.
static struct {
    struct heap_settings settings;
    size_t trim_keep;
    size_t trim_result;
    unsigned char block[256];
    unsigned char moved[512];
    size_t block_size;
    size_t resized_size; // what heap_resize() makes of the block; 0: it cannot
    bool stays;          // whether heap_resize_closely() can do it, too
    bool is_exhausted;   // whether heap_alloc() has no memory
    bool is_freed;
} heap;

struct heap_settings heap_settings(void)
{
    return heap.settings;
}

void heap_configure(const struct heap_settings *settings)
{
    heap.settings = *settings;
}

size_t heap_trim(size_t keep)
{
    heap.trim_keep = keep;
    return heap.trim_result;
}

size_t heap_peek_size(const void *block)
{
    (void)block;
    return heap.block_size;
}

void *heap_realloc_named(void *block, size_t size, const char *verb)
{
    (void)size;
    assert_string_equal(verb, "realloc");
    assert_int_equal(heap.block_size, 0);
    return block;
}

bool heap_resize(void *block, size_t size)
{
    (void)block;
    (void)size;
    return heap.resized_size > 0;
}

bool heap_resize_closely(void *block, size_t size)
{
    return heap.stays && heap_resize(block, size);
}

void *heap_alloc(size_t size)
{
    if (size <= sizeof heap.moved && !heap.is_exhausted) return heap.moved;
    errno = ENOMEM;
    return NULL;
}

void heap_free_named(void *block, const char *verb)
{
    assert_string_equal(verb, "realloc");
    assert_ptr_equal(block, heap.block);
    heap.is_freed = true;
}

static int set_up(void **state)
{
    (void)state;
    memset(&heap, 0, sizeof heap);
    heap.settings = (struct heap_settings){1000000, 2000, false, 300, true};
    heap.block_size = 100;
    memset(heap.block, 1, sizeof heap.block);
    memset(heap.moved, 2, sizeof heap.moved);
    perturb_set(0);
    return 0;
}

static void assert_filled(const unsigned char *bytes, size_t begin, size_t end, unsigned char byte)
{
    for (size_t i = begin; i < end; i++) assert_int_equal(bytes[i], byte);
}

static void thresholds_reach_the_heap_and_nothing_else_changes(void **state)
{
    (void)state;
    assert_int_equal(mallopt(M_MMAP_THRESHOLD, 65536), 1);
    assert_int_equal(heap.settings.direct_size_min, 65536);
    assert_int_equal(heap.settings.dirty_bytes_keep, 2000);
    assert_false(heap.settings.is_keep_exact);
    assert_int_equal(mallopt(M_TRIM_THRESHOLD, 123), 1);
    assert_int_equal(heap.settings.dirty_bytes_keep, 123);
    assert_true(heap.settings.is_keep_exact);
    assert_int_equal(heap.settings.direct_size_min, 65536);
    assert_int_equal(heap.settings.purge_delay_ms, 300);
    assert_true(heap.settings.use_helper);
}

static void a_negative_trim_threshold_stops_all_trimming(void **state)
{
    (void)state;
    assert_int_equal(mallopt(M_TRIM_THRESHOLD, -1), 1);
    assert_true(heap.settings.dirty_bytes_keep >= SIZE_MAX / 2);
    assert_true(heap.settings.dirty_bytes_keep + ((size_t)1 << 47) > (size_t)1 << 47);
    assert_int_equal(mallopt(M_TRIM_THRESHOLD, 123), 1); // and what comes later counts
    assert_int_equal(heap.settings.dirty_bytes_keep, 123);
    assert_true(heap.settings.use_helper);
}

static void a_negative_mmap_threshold_is_a_huge_one(void **state)
{
    (void)state;
    assert_int_equal(mallopt(M_MMAP_THRESHOLD, -1), 1);
    assert_true(heap.settings.direct_size_min == SIZE_MAX);
}

static void other_parameters_change_nothing(void **state)
{
    (void)state;
    const struct heap_settings before = heap.settings;
    const int parameters[] = {M_TOP_PAD, M_MMAP_MAX, M_CHECK_ACTION, M_ARENA_TEST, M_ARENA_MAX,
                              M_NLBLKS,  M_GRAIN,    M_KEEP,         99,           INT_MIN};
    for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++) {
        assert_int_equal(mallopt(parameters[i], 0), 1);
        assert_int_equal(mallopt(parameters[i], -5), 1);
    }
    assert_int_equal(mallopt(M_MXFAST, 160), 1);
    assert_int_equal(mallopt(M_MXFAST, 161), 0);
    assert_int_equal(mallopt(M_MXFAST, INT_MIN), 0);
    assert_memory_equal(&before, &heap.settings, sizeof before);
    assert_false(perturb_is_on());
}

static void trim_says_whether_memory_was_returned(void **state)
{
    (void)state;
    assert_int_equal(malloc_trim(77), 0);
    assert_int_equal(heap.trim_keep, 77);
    heap.trim_result = (size_t)1 << 40;
    assert_int_equal(malloc_trim(0), 1);
}

static void new_blocks_get_the_complement(void **state)
{
    (void)state;
    assert_int_equal(mallopt(M_PERTURB, 0x155), 1); // the low byte counts
    assert_true(perturb_is_on());
    assert_ptr_equal(perturb_allocated(heap.block, 40), heap.block);
    assert_filled(heap.block, 0, 40, 0xaa);
    assert_filled(heap.block, 40, 100, 1);
    assert_null(perturb_allocated(NULL, 40));
}

static void freed_blocks_get_the_byte_but_not_direct_ones(void **state)
{
    (void)state;
    perturb_set(0x55);
    perturb_freeing(heap.block);
    assert_filled(heap.block, 0, 100, 0x55);
    assert_filled(heap.block, 100, 200, 1);
    memset(heap.block, 1, sizeof heap.block);
    heap.settings.direct_size_min = 100;
    perturb_freeing(heap.block);
    assert_filled(heap.block, 0, 200, 1);
}

static void what_is_no_live_block_is_not_filled(void **state)
{
    (void)state;
    perturb_set(0x55);
    heap.block_size = 0;
    perturb_freeing(heap.block);
    assert_ptr_equal(perturb_realloc(heap.block, 50, "realloc"), heap.block);
    assert_filled(heap.block, 0, 200, 1);
}

static void blocks_grown_in_place_are_filled_where_they_are_new(void **state)
{
    (void)state;
    perturb_set(0x55);
    heap.resized_size = 200;
    heap.stays = true;
    assert_ptr_equal(perturb_realloc(heap.block, 150, "realloc"), heap.block);
    assert_filled(heap.block, 0, 100, 1);
    assert_filled(heap.block, 100, 150, 0xaa);
    assert_filled(heap.block, 150, 200, 1);
    assert_false(heap.is_freed);
}

static void moved_blocks_are_filled_on_both_sides(void **state)
{
    (void)state;
    perturb_set(0x55);
    assert_ptr_equal(perturb_realloc(heap.block, 300, "realloc"), heap.moved);
    assert_filled(heap.moved, 0, 100, 1);
    assert_filled(heap.moved, 100, 300, 0xaa);
    assert_filled(heap.block, 0, 100, 0x55);
    assert_true(heap.is_freed);
}

static void blocks_that_heap_realloc_would_move_are_moved(void **state)
{
    (void)state;
    perturb_set(0x55);
    heap.resized_size = 100;
    assert_ptr_equal(perturb_realloc(heap.block, 10, "realloc"), heap.moved);
    assert_filled(heap.moved, 0, 10, 1);
    assert_filled(heap.moved, 10, 512, 2);
    assert_filled(heap.block, 0, 100, 0x55);
    assert_true(heap.is_freed);
}

static void a_block_that_shrinks_stays_when_there_is_no_smaller_one(void **state)
{
    (void)state;
    perturb_set(0x55);
    heap.resized_size = 100;
    heap.is_exhausted = true;
    errno = 7;
    assert_ptr_equal(perturb_realloc(heap.block, 10, "realloc"), heap.block);
    assert_int_equal(errno, 7);
    assert_filled(heap.block, 0, 200, 1);
    assert_false(heap.is_freed);
}

static void a_failed_realloc_leaves_the_block_alone(void **state)
{
    (void)state;
    perturb_set(0x55);
    assert_null(perturb_realloc(heap.block, 10000, "realloc"));
    assert_filled(heap.block, 0, 100, 1);
    assert_false(heap.is_freed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(thresholds_reach_the_heap_and_nothing_else_changes, set_up),
        cmocka_unit_test_setup(a_negative_trim_threshold_stops_all_trimming, set_up),
        cmocka_unit_test_setup(a_negative_mmap_threshold_is_a_huge_one, set_up),
        cmocka_unit_test_setup(other_parameters_change_nothing, set_up),
        cmocka_unit_test_setup(trim_says_whether_memory_was_returned, set_up),
        cmocka_unit_test_setup(new_blocks_get_the_complement, set_up),
        cmocka_unit_test_setup(freed_blocks_get_the_byte_but_not_direct_ones, set_up),
        cmocka_unit_test_setup(what_is_no_live_block_is_not_filled, set_up),
        cmocka_unit_test_setup(blocks_grown_in_place_are_filled_where_they_are_new, set_up),
        cmocka_unit_test_setup(moved_blocks_are_filled_on_both_sides, set_up),
        cmocka_unit_test_setup(blocks_that_heap_realloc_would_move_are_moved, set_up),
        cmocka_unit_test_setup(a_block_that_shrinks_stays_when_there_is_no_smaller_one, set_up),
        cmocka_unit_test_setup(a_failed_realloc_leaves_the_block_alone, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
