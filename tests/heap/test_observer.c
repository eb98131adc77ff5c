// Protects: whoever observes is told of every allocation and every free, by whatever path, once,
// with the requested size, and gets its site back; and nothing is told while nobody observes.
#include "heap_test.h"

#include "heap/observer.h"
#include "ledger.h"
#include "os/clock.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static void begin(void)
{
    ledger_reset();
    heap_observe(&ledger_observer);
}

// Ends the observation, after the book was found right.
static void end(size_t allocations, size_t frees, size_t frees_unknown)
{
    struct ledger_totals totals = ledger_totals();
    heap_observe(NULL);
    assert_string_equal(ledger_mistake(), "");
    assert_int_equal(totals.allocations, allocations);
    assert_int_equal(totals.frees, frees);
    assert_int_equal(totals.frees_unknown, frees_unknown);
    (void)heap_check();
}

// The block is in the book with that size, and heap_resolve() says the same.
static void expect_noted(const void *block, size_t size)
{
    struct ledger_entry entry;
    struct heap_block found;
    assert_true(ledger_find((uintptr_t)block, &entry));
    assert_int_equal(entry.size, size);
    assert_int_equal(entry.block_size, heap_block_size(block));
    assert_true(resolve_own((uintptr_t)block + size - !!size, &found));
    assert_int_equal(found.start, (uintptr_t)block);
    assert_int_equal(found.size, size);
    assert_int_equal(found.block_size, entry.block_size);
    assert_int_equal(found.site, entry.site);
    assert_int_equal(found.state, HEAP_BLOCK_LIVE);
}

static void who_observes_can_be_asked(void **state)
{
    (void)state;
    assert_null(heap_observed_by());
    heap_observe(&ledger_observer);
    assert_ptr_equal(heap_observed_by(), &ledger_observer);
    heap_observe(NULL);
    assert_null(heap_observed_by());
}

static void every_size_of_every_class_is_told_exactly(void **state)
{
    (void)state;
    begin();
    size_t count = 0;
    for (unsigned class = 1; class < CLASS_COUNT; class ++) {
        const size_t least = class == 1 ? 1 : size_class_size(class - 1) + 1;
        const size_t sizes[] = {least, size_class_size(class) - 1, size_class_size(class)};
        for (size_t i = 0; i < 3; i++, count++) {
            void *block = heap_alloc(sizes[i]);
            expect_noted(block, sizes[i]);
            if (i) heap_free(block); // the others live on between them
        }
    }
    assert_int_equal(ledger_totals().live_blocks, CLASS_COUNT - 1);
    end(count, 2 * (CLASS_COUNT - 1), 0);
}

static void all_ways_to_allocate_are_told(void **state)
{
    (void)state;
    set_direct_size(MIB);
    begin();
    void *blocks[] = {
        heap_alloc(100),
        heap_alloc_zeroed(100),
        heap_alloc_zeroed(100 * KIB),
        heap_alloc_aligned(100, 256),
        heap_alloc_aligned(5, PAGE_SIZE), // slack 4091
        heap_alloc_aligned(7, 64 * KIB),  // large, slack 4089
        heap_alloc_aligned(9, 2 * MIB),   // direct
        heap_alloc(40000),
        heap_alloc(MIB + 1),
        heap_alloc_aligned(300, 8 * KIB),
    };
    const size_t sizes[] = {100, 100, 100 * KIB, 100, 5, 7, 9, 40000, MIB + 1, 300};
    const size_t count = sizeof sizes / sizeof sizes[0];
    for (size_t i = 0; i < count; i++) expect_noted(blocks[i], sizes[i]);
    assert_int_equal(ledger_totals().live_blocks, count);
    for (size_t i = 0; i < count; i++) heap_free(blocks[i]);
    assert_int_equal(ledger_totals().live_bytes, 0);
    end(count, count, 0);
}

static void nothing_asked_for_counts_as_nothing(void **state)
{
    (void)state;
    begin();
    void *blocks[] = {heap_alloc(0), heap_alloc_zeroed(0), heap_alloc_aligned(0, 8)};
    for (size_t i = 0; i < 3; i++) {
        expect_noted(blocks[i], 0);
        heap_free(blocks[i]);
    }
    void *block = heap_realloc(heap_alloc(100), 0); // malloc's own frees
    expect_noted(block, 0);
    block = heap_realloc(block, 50);
    expect_noted(block, 50);
    heap_free(block);
    end(6, 6, 0);
}

static void reallocation_is_a_free_and_an_allocation_moved_or_not(void **state)
{
    (void)state;
    set_direct_size(MIB);
    const size_t sizes[] = {1,       16,
                            17,      64,
                            63,      1000,
                            999,     40000,
                            39000,   36000,
                            90000,   50000,
                            100,     300 * KIB,
                            MIB,     MIB + 5000,
                            5 * MIB, 3 * MIB,
                            MIB - 1, 2 * MIB,
                            70000,   SMALL_SIZE_MAX + 1,
                            5};
    const size_t count = sizeof sizes / sizeof sizes[0];
    begin();
    void *block = heap_alloc(10);
    for (size_t i = 0; i < count; i++) {
        block = heap_realloc(block, sizes[i]);
        expect_noted(block, sizes[i]);
        assert_int_equal(ledger_totals().live_blocks, 1);
        assert_int_equal(ledger_totals().live_bytes, sizes[i]);
    }
    heap_free(block);
    assert_int_equal(ledger_totals().resizes, count); // told with the old size: the book checks it
    end(count + 1, count + 1, 0);
}

static void resizing_in_place_changes_the_size_told(void **state)
{
    (void)state;
    set_direct_size(MIB);
    begin();
    const size_t starts[] = {500, 20000, 100 * KIB, 3 * MIB};
    for (size_t i = 0; i < 4; i++) {
        char *block = heap_alloc(starts[i]);
        size_t resizes = ledger_totals().resizes;
        for (size_t size = starts[i]; size > 0; size /= 3) {
            assert_true(heap_resize(block, size));
            expect_noted(block, size);
            assert_int_equal(ledger_totals().resizes, ++resizes);
        }
        heap_free(block);
    }
    assert_string_equal(ledger_mistake(), "");
    assert_int_equal(ledger_totals().live_blocks, 0);
    heap_observe(NULL);
}

static void what_fails_changes_nothing(void **state)
{
    (void)state;
    set_direct_size(MIB);
    begin();
    const size_t sizes[] = {50, 30000, 100 * KIB, 2 * MIB};
    for (size_t i = 0; i < 4; i++) {
        char *block = heap_alloc(sizes[i]);
        memset(block, 0xaa, sizes[i]);
        assert_null(heap_realloc(block, PTRDIFF_MAX));
        assert_null(heap_realloc(block, SIZE_MAX));
        assert_null(heap_realloc(block, (size_t)1 << 46));
        assert_false(heap_resize(block, (size_t)1 << 46));
        assert_false(heap_resize(block, SIZE_MAX));
        expect_noted(block, sizes[i]);
        for (size_t j = 0; j < sizes[i]; j++) assert_int_equal((unsigned char)block[j], 0xaa);
        heap_free(block);
    }
    assert_int_equal(ledger_totals().frees, 4); // what was told and did not happen was taken back
    assert_true(ledger_totals().kept > 0);
    assert_null(heap_alloc((size_t)1 << 46));
    assert_null(heap_alloc_zeroed(SIZE_MAX));
    assert_null(heap_alloc_aligned(100, (size_t)1 << 62));
    assert_string_equal(ledger_mistake(), "");
    assert_int_equal(ledger_totals().live_blocks, 0);
    heap_observe(NULL);
}

static void blocks_from_before_have_no_site_and_their_whole_size(void **state)
{
    (void)state;
    set_direct_size(MIB);
    void *blocks[] = {heap_alloc(50), heap_alloc(40000), heap_alloc(2 * MIB), heap_alloc(70)};
    begin();
    struct heap_block found;
    for (size_t i = 0; i < 4; i++) {
        assert_true(resolve_own((uintptr_t)blocks[i], &found));
        assert_int_equal(found.site, 0);
        assert_int_equal(found.size, found.block_size);
    }
    assert_null(heap_realloc(blocks[2], (size_t)1 << 46));
    assert_false(heap_resize(blocks[2], (size_t)1 << 46));
    assert_true(resolve_own((uintptr_t)blocks[2], &found));
    assert_int_equal(found.site, 0); // what failed did not make it known
    for (size_t i = 0; i < 3; i++) heap_free(blocks[i]);
    blocks[3] = heap_realloc(blocks[3], 100);
    expect_noted(blocks[3], 100);
    heap_free(blocks[3]);
    assert_int_equal(ledger_totals().live_blocks, 0);
    assert_string_equal(ledger_mistake(), "");
    assert_int_equal(ledger_totals().frees_unknown, 4);
    heap_observe(NULL);
}

// Blocks of the first observation, reused in the dark, must not bring old notes to the second.
static void a_second_observation_begins_anew(void **state)
{
    (void)state;
    void *blocks[200];
    begin();
    for (size_t i = 0; i < 200; i++) blocks[i] = heap_alloc(90);
    end(200, 0, 0);
    for (size_t i = 0; i < 100; i++) heap_free(blocks[i]);
    for (size_t i = 0; i < 100; i++) blocks[i] = heap_alloc(90);
    assert_int_equal(ledger_totals().allocations, 200); // nobody was told
    begin();
    struct heap_block found;
    for (size_t i = 0; i < 200; i++) {
        assert_true(resolve_own((uintptr_t)blocks[i], &found));
        assert_int_equal(found.site, 0);
        heap_free(blocks[i]);
    }
    end(0, 0, 200);
}

// What heap_resolve() says of the place that a realloc moves to, while the old block's free is
// told.
static struct {
    uintptr_t place;
    struct heap_block seen;
} moved;

static void look_at_place(void *block, uint32_t site, size_t size, size_t block_size)
{
    ledger_observer.freeing(block, site, size, block_size);
    if (moved.place) assert_true(resolve_own(moved.place, &moved.seen));
}

static void a_block_moved_to_has_no_note_until_it_is_told(void **state)
{
    (void)state;
    static struct heap_observer observer; // stays valid for good
    observer = ledger_observer;
    observer.freeing = look_at_place;
    ledger_reset();
    heap_observe(&observer);
    void *block = heap_alloc(40);
    void *gone = heap_alloc(3000);
    heap_free(gone);
    moved.place = (uintptr_t)gone;
    void *place = heap_realloc(block, 3000);
    moved.place = 0;
    assert_ptr_equal(place, gone);
    assert_int_equal(moved.seen.state, HEAP_BLOCK_LIVE);
    assert_int_equal(moved.seen.site, 0); // not the one it had before
    expect_noted(place, 3000);
    heap_free(place);
    end(3, 3, 0);
}

// Of small, large and direct blocks, made anew and grown.
static void large_blocks_end_apart_from_the_next_where_that_is_wanted(void **state)
{
    (void)state;
    static struct heap_observer observer; // stays valid for good
    static const size_t sizes[] = {512, 1024, 4096, 32768, 65536, 3 * MIB, 40 * MIB};
    observer = ledger_observer;
    observer.apart_from = 512;
    ledger_reset();
    heap_observe(&observer);
    assert_int_equal(heap_block_size(heap_alloc(0)), GRANULE);
    assert_true(heap_block_size(heap_alloc(496)) <= 512); // a class that is rare, or its own
    assert_null(heap_alloc(SIZE_MAX));
    assert_null(heap_alloc(PTRDIFF_MAX));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void *blocks[] = {
            heap_alloc(sizes[i]),
            heap_alloc_zeroed(sizes[i]),
            heap_realloc(heap_alloc(16), sizes[i]),
        };
        for (size_t j = 0; j < 3; j++) {
            assert_true(heap_block_size(blocks[j]) > sizes[i]);
            expect_noted(blocks[j], sizes[i]);
            heap_free(blocks[j]);
        }
    }
    void *aligned = heap_alloc_aligned(4096, 4096); // who asks for that wants just so much
    assert_int_equal(heap_block_size(aligned), 4096);
    heap_free(aligned);
    heap_observe(NULL);
}

static void nothing_is_told_before_and_after(void **state)
{
    (void)state;
    ledger_reset();
    heap_free(heap_alloc(100));
    begin();
    end(0, 0, 0);
    for (int i = 0; i < 1000; i++) heap_free(heap_alloc(100));
    free_in_thread(heap_alloc(50000));
    assert_int_equal(ledger_totals().allocations, 0);
    assert_int_equal(ledger_totals().frees + ledger_totals().frees_unknown, 0);
}

static void spans_are_told_as_they_come_and_go(void **state)
{
    (void)state;
    (void)heap_trim(0);
    begin();
    void *blocks[500];
    for (size_t i = 0; i < 500; i++) blocks[i] = heap_alloc(3000);
    assert_true(ledger_totals().span_bytes >= 500 * 3000);
    for (size_t i = 0; i < 500; i++) heap_free(blocks[i]);
    // One of each class may stay: of 3000 bytes, and of what served them while they were rare.
    assert_true(ledger_totals().span_bytes <= 2 * SPAN_PAGES_MAX * PAGE_SIZE);
    end(500, 500, 0);
}

// --- threads
// ---------------------------------------------------------------------------------------

enum { THREADS = 4, SLOTS = 512, STEPS = 6000 };

static _Atomic(void *) slots[SLOTS];

// Blocks wander: one thread puts them into a slot, any other takes them out.
static void *trade_blocks(void *seed_number)
{
    unsigned seed = (unsigned)(uintptr_t)seed_number;
    for (int i = 0; i < STEPS; i++) {
        size_t size = 1 + (size_t)rand_r(&seed) % (1u << rand_r(&seed) % 17);
        void *block = heap_alloc(size);
        if (rand_r(&seed) % 4 == 0) block = heap_realloc(block, size / 2 + 1);
        block = atomic_exchange(&slots[(size_t)rand_r(&seed) % SLOTS], block);
        if (block && rand_r(&seed) % 4 == 0) block = heap_realloc(block, size);
        if (block) heap_free(block);
    }
    return NULL;
}

static void run_traders(void)
{
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, trade_blocks, (void *)(i + 1)), 0);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

static void threads_that_trade_blocks_are_told_of_exactly(void **state)
{
    (void)state;
    begin();
    run_traders();
    size_t live = 0;
    for (size_t i = 0; i < SLOTS; i++) live += slots[i] != NULL;
    assert_string_equal(ledger_mistake(), "");
    assert_int_equal(ledger_totals().live_blocks, live);
    assert_int_equal(ledger_totals().frees_unknown, 0);
    assert_int_equal(count_walked(), heap_check().live_blocks);
    for (size_t i = 0; i < SLOTS; i++) {
        void *block = atomic_exchange(&slots[i], NULL);
        struct ledger_entry entry;
        if (block) assert_true(ledger_find((uintptr_t)block, &entry));
        if (block) expect_noted(block, entry.size);
        if (block) heap_free(block);
    }
    assert_int_equal(ledger_totals().live_blocks, 0);
    assert_int_equal(ledger_totals().live_bytes, 0);
    assert_string_equal(ledger_mistake(), "");
    heap_observe(NULL);
}

static void *blink(void *stop)
{
    while (!*(atomic_bool *)stop) {
        heap_observe(&ledger_observer);
        clock_sleep_ms(1);
        heap_observe(NULL);
        clock_sleep_ms(1);
    }
    return NULL;
}

// What is told then is not exact, but the heap must stay sound.
static void waking_and_sleeping_amid_traffic_does_no_harm(void **state)
{
    (void)state;
    atomic_bool stop = false;
    pthread_t blinker;
    ledger_reset();
    assert_int_equal(pthread_create(&blinker, NULL, blink, &stop), 0);
    run_traders();
    stop = true;
    pthread_join(blinker, NULL);
    for (size_t i = 0; i < SLOTS; i++) {
        void *block = atomic_exchange(&slots[i], NULL);
        if (block) heap_free(block);
    }
    (void)heap_check();
}

// A block freed while nobody watches opens a new list beside the one that was put away.
static void watching_again_and_again_loses_no_block(void **state)
{
    (void)state;
    ledger_reset();
    void *blocks[20];
    for (size_t i = 0; i < 20; i++) blocks[i] = heap_alloc(112);
    for (size_t i = 0; i < 20; i++) {
        heap_observe(&ledger_observer);
        heap_observe(NULL);
        heap_free(blocks[i]);
        (void)heap_check(); // every block that the span counts is live or on a list
    }
    thread_heap_drop_bin(thread_heap, size_class_of(112));
    (void)heap_check();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_observes_can_be_asked),
        cmocka_unit_test(every_size_of_every_class_is_told_exactly),
        cmocka_unit_test(all_ways_to_allocate_are_told),
        cmocka_unit_test(nothing_asked_for_counts_as_nothing),
        cmocka_unit_test(reallocation_is_a_free_and_an_allocation_moved_or_not),
        cmocka_unit_test(resizing_in_place_changes_the_size_told),
        cmocka_unit_test(what_fails_changes_nothing),
        cmocka_unit_test(blocks_from_before_have_no_site_and_their_whole_size),
        cmocka_unit_test(a_second_observation_begins_anew),
        cmocka_unit_test(a_block_moved_to_has_no_note_until_it_is_told),
        cmocka_unit_test(large_blocks_end_apart_from_the_next_where_that_is_wanted),
        cmocka_unit_test(nothing_is_told_before_and_after),
        cmocka_unit_test(spans_are_told_as_they_come_and_go),
        cmocka_unit_test(threads_that_trade_blocks_are_told_of_exactly),
        cmocka_unit_test(waking_and_sleeping_amid_traffic_does_no_harm),
        cmocka_unit_test(watching_again_and_again_loses_no_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
