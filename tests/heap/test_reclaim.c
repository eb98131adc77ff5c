// Protects: pages between blocks in use go back to the kernel, those that blocks stand on never do,
// and what comes back is fit for use.
#include "heap_test.h"

#include "heap/reclaim.h"
#include "heap/span_map.h"
#include "os/clock.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { BLOCKS = 4096 };

static bool is_resident(const void *address)
{
    unsigned char vector;
    void *page = (void *)((uintptr_t)address & ~(PAGE_SIZE - 1));
    assert_int_equal(mincore(page, PAGE_SIZE, &vector), 0);
    return vector & 1;
}

static void fill(char *block, size_t size, size_t number)
{
    for (size_t i = 0; i < size; i++) block[i] = (char)(number + i / 7);
}

static void expect_filled(const char *block, size_t size, size_t number)
{
    for (size_t i = 0; i < size; i++) {
        if (block[i] != (char)(number + i / 7)) fail_msg("block %zu lost byte %zu", number, i);
    }
}

// No page of the span is resident unless a block in use stands on it.
static void expect_no_holes(const struct span *span)
{
    uint64_t used = 0;
    for (uint32_t i = 0; i < span->capacity; i++) {
        uintptr_t block = span_block(span, i);
        if (!(span_cell(span, block)->live & span_bit(block))) continue;
        size_t first = (block - span->base) >> PAGE_SHIFT;
        size_t last = (block + span->block_size - 1 - span->base) >> PAGE_SHIFT;
        for (size_t page = first; page <= last; page++) used |= UINT64_C(1) << page;
    }
    for (size_t page = 0; page < span->page_count; page++) {
        const char *address = (const char *)span->base + page * PAGE_SIZE;
        if (!(used >> page & 1) && is_resident(address)) fail_msg("page %zu is a hole", page);
    }
}

// One block in `step` stays. Pages that no block in use touches must not be resident afterwards.
static void punch(size_t size, size_t step)
{
    static char *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = heap_alloc(size);
        fill(blocks[i], size, i);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        if (i % step) heap_free(blocks[i]);
    }
    thread_heap_drop_bin(thread_heap, size_class_of(size)); // its span is looked at too
    (void)reclaim_holes();
    (void)heap_check();
    for (struct span *span = span_map_next(0); span;
         span = span_map_next(span->base + span->size)) {
        if (span_state(span) >= SPAN_GROWING && span_state(span) <= SPAN_FULL)
            expect_no_holes(span);
    }
    assert_int_equal(reclaim_holes(), 0); // nothing twice
    for (size_t i = 0; i < BLOCKS; i += step) expect_filled(blocks[i], size, i);
    for (size_t i = 0; i < BLOCKS; i++) {
        if (i % step == 0) continue;
        blocks[i] = heap_alloc(size); // in the holes
        fill(blocks[i], size, i);
    }
    (void)heap_check();
    for (size_t i = 0; i < BLOCKS; i++) {
        expect_filled(blocks[i], size, i);
        heap_free(blocks[i]);
    }
    assert_int_equal(heap_check().live_blocks, 0);
}

static void holes_between_blocks_of_every_size_are_purged_and_refilled(void **state)
{
    (void)state;
    const size_t sizes[] = {16, 48, 208, 1000, 1024, 3000, 4096, 5000, 12000, SMALL_SIZE_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        punch(sizes[i], 2);
        punch(sizes[i], 300);
    }
}

static void a_purged_page_is_not_resident_and_comes_back(void **state)
{
    (void)state;
    char *blocks[64];
    for (size_t i = 0; i < 64; i++) {
        blocks[i] = heap_alloc(4096);
        memset(blocks[i], 1, 4096);
    }
    for (size_t i = 1; i < 64; i += 2) heap_free(blocks[i]);
    thread_heap_drop_bin(thread_heap, size_class_of(4096));
    assert_true(reclaim_holes() >= 20 * PAGE_SIZE);
    size_t gone = 0;
    for (size_t i = 0; i < 64; i++) {
        if (i % 2 == 0) assert_true(is_resident(blocks[i]));
        if (i % 2) gone += !is_resident(blocks[i]);
    }
    assert_true(gone >= 20);
    // Blocks larger than a page, again and again: their later pages must be purged each time.
    for (size_t i = 0; i < 64; i += 2) heap_free(blocks[i]);
}

static void pages_used_again_are_purged_again(void **state)
{
    (void)state;
    enum { LARGE = 12000 }; // three pages each, of which blocks start on some only
    for (int round = 0; round < 4; round++) {
        char *blocks[100];
        for (size_t i = 0; i < 100; i++) {
            blocks[i] = heap_alloc(LARGE);
            memset(blocks[i], 1, LARGE);
        }
        for (size_t i = 0; i < 100; i++) {
            if (i % 5) heap_free(blocks[i]);
        }
        thread_heap_drop_bin(thread_heap, size_class_of(LARGE));
        assert_true(reclaim_holes() >= 50 * 2 * PAGE_SIZE);
        for (size_t i = 0; i < 100; i += 5) heap_free(blocks[i]);
        (void)heap_check();
    }
}

static void the_span_that_a_bin_allocates_from_is_left_alone(void **state)
{
    (void)state;
    char *blocks[8];
    for (size_t i = 0; i < 8; i++) {
        blocks[i] = heap_alloc(16000);
        memset(blocks[i], 1, 16000);
    }
    const struct span *current = thread_heap->reserves[size_class_of(16000)].current;
    for (size_t i = 0; i < 8; i++) {
        if (span_map_find((uintptr_t)blocks[i]) == current) {
            heap_free(blocks[i]);
            blocks[i] = NULL;
        }
    }
    (void)reclaim_holes();
    assert_int_equal(current->purged_pages, 0);
    (void)heap_check();
    for (size_t i = 0; i < 8; i++) {
        if (blocks[i]) heap_free(blocks[i]);
    }
}

static void trimming_returns_runs_and_holes(void **state)
{
    (void)state;
    static char *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) memset(blocks[i] = heap_alloc(3000), 1, 3000);
    for (size_t i = 0; i < BLOCKS; i++) {
        if (i % 64) heap_free(blocks[i]);
    }
    assert_true(heap_trim(0) > 0);
    assert_int_equal(page_heap_figures().dirty_bytes, 0);
    (void)heap_check();
    for (size_t i = 0; i < BLOCKS; i += 64) heap_free(blocks[i]);
    assert_true(heap_trim(MIB) <= 5 * MIB);
    assert_true(page_heap_figures().dirty_bytes <= MIB);
}

// --- beside the owners
// -----------------------------------------------------------------------------

static atomic_bool stop;

static void *punch_on(void *ignored)
{
    (void)ignored;
    while (!stop) {
        (void)reclaim_holes();
        clock_sleep_ms(1); // as the helper rests: without, it keeps the others from the lock
    }
    return NULL;
}

static void *churn(void *number)
{
    enum { SLOTS = 600 };
    char *blocks[SLOTS] = {NULL};
    unsigned seed = (unsigned)(uintptr_t)number;
    for (int i = 0; i < 40000; i++) {
        size_t slot = (size_t)rand_r(&seed) % SLOTS;
        size_t size = 64 + slot * 7;
        if (blocks[slot]) {
            expect_filled(blocks[slot], size, slot);
            heap_free(blocks[slot]);
            blocks[slot] = NULL;
        } else {
            blocks[slot] = heap_alloc(size);
            fill(blocks[slot], size, slot);
        }
    }
    for (size_t i = 0; i < SLOTS; i++) {
        if (blocks[i]) heap_free(blocks[i]);
    }
    return NULL;
}

static void punching_beside_busy_owners_touches_no_live_byte(void **state)
{
    (void)state;
    pthread_t puncher;
    pthread_t churners[3];
    stop = false;
    pthread_create(&puncher, NULL, punch_on, NULL);
    for (uintptr_t i = 0; i < 3; i++) pthread_create(&churners[i], NULL, churn, (void *)(i + 1));
    for (int i = 0; i < 3; i++) pthread_join(churners[i], NULL);
    stop = true;
    pthread_join(puncher, NULL);
    assert_int_equal(heap_check().live_blocks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holes_between_blocks_of_every_size_are_purged_and_refilled),
        cmocka_unit_test(a_purged_page_is_not_resident_and_comes_back),
        cmocka_unit_test(pages_used_again_are_purged_again),
        cmocka_unit_test(the_span_that_a_bin_allocates_from_is_left_alone),
        cmocka_unit_test(trimming_returns_runs_and_holes),
        cmocka_unit_test(punching_beside_busy_owners_touches_no_live_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
