// Protects: memory that the program tracks in a leak scan: it is in use when something leads into
// it, and what it holds counts then; one within another, or within a block, has words of its own.
#include "track/leak_test.h"

static void what_holds_it_is_asked_and_what_it_holds_counts(void **state)
{
    (void)state;
    void **block = block_of(64);
    void **inner = block_of(64);
    void *const starts[] = {arena + 8, arena + 4096, arena + 9000, arena + 9104};
    track_range(starts[0], 24);       // a root leads to it
    track_range(starts[1], 4096);     // a block that it leads to does
    track_range(starts[2], 16);       // lost; leads to the next
    track_range(starts[3], 400 * 16); // and this to a block
    *(void **)starts[0] = block;
    block[3] = arena + 4096 + 17;
    *(void **)starts[2] = starts[3];
    ((void **)starts[3])[799] = inner;
    begin();
    leak_scan_word(&scan, (uintptr_t)starts[0]);
    leak_scan_word(&scan, (uintptr_t)arena);                   // beside it
    leak_scan_word(&scan, (uintptr_t)arena + 32);              // past its end
    leak_scan_word(&scan, (uintptr_t)arena + 9104 + 400 * 16); // past that of the last
    finish();
    assert_int_equal(kind_of_tracked(starts[0]), RECORD_REACHABLE);
    expect_kind(block, RECORD_REACHABLE);
    assert_int_equal(kind_of_tracked(starts[1]), RECORD_INTERIOR);
    assert_int_equal(kind_of_tracked(starts[2]), RECORD_LOST_DIRECT);
    assert_int_equal(kind_of_tracked(starts[3]), RECORD_LOST_INDIRECT);
    expect_kind(inner, RECORD_LOST_INDIRECT);
    leak_scan_end(&scan);
    heap_free(block);
    heap_free(inner);
    untrack_all(starts, 4);
}

static void one_within_another_has_its_own_words(void **state)
{
    (void)state;
    void **blocks[4];
    for (size_t i = 0; i < 4; i++) blocks[i] = block_of(32);
    char *large = block_of(3 * 4096);
    void *const starts[] = {arena, arena + 100 * 8, arena + 150 * 8, large + 4096};
    track_range(starts[0], 8192);
    track_range(starts[1], 800); // in the first
    track_range(starts[2], 800); // reaches out of the second
    track_range(starts[3], 64);  // in a block of the heap
    ((void **)starts[0])[1] = blocks[0];
    ((void **)starts[1])[1] = blocks[1];
    ((void **)starts[2])[1] = blocks[2];
    ((void **)starts[3])[1] = blocks[3];
    begin();
    leak_scan_word(&scan, (uintptr_t)large);
    leak_scan_word(&scan, (uintptr_t)arena + 120 * 8); // in the first and the second
    finish();
    assert_int_equal(kind_of_tracked(starts[0]), RECORD_INTERIOR);
    assert_int_equal(kind_of_tracked(starts[1]), RECORD_INTERIOR);
    assert_int_equal(kind_of_tracked(starts[2]), RECORD_LOST_DIRECT);
    assert_int_equal(kind_of_tracked(starts[3]), RECORD_LOST_DIRECT);
    expect_kind(large, RECORD_REACHABLE);
    expect_kind(blocks[0], RECORD_REACHABLE);
    expect_kind(blocks[1], RECORD_REACHABLE);
    expect_kind(blocks[2], RECORD_LOST_INDIRECT);
    expect_kind(blocks[3], RECORD_LOST_INDIRECT);
    leak_scan_end(&scan);
    for (size_t i = 0; i < 4; i++) heap_free(blocks[i]);
    heap_free(large);
    untrack_all(starts, 4);
}

// A pointer may lead to many: each of them, and no other.
static void all_that_hold_an_address_are_found(void **state)
{
    (void)state;
    enum { RANGES = 60, SPACE = 512 };
    for (int round = 0; round < 200; round++) {
        uintptr_t ends[SPACE] = {0}; // by start
        void *starts[RANGES];
        size_t count = 0;
        for (size_t i = 0; i < RANGES; i++) {
            const size_t at = random_number() % SPACE;
            if (ends[at]) continue;
            const size_t size = 1 + random_number() % 90;
            ends[at] = at + size;
            starts[count++] = arena + at;
            track_range(arena + at, size);
        }
        const size_t asked = random_number() % SPACE;
        const size_t begin_at = random_number() % SPACE;
        begin();
        leak_scan_word(&scan, (uintptr_t)arena + asked);
        leak_scan_reach(&scan);
        bool touches = false;
        for (size_t i = 0; i < count; i++) {
            const size_t at = (size_t)((char *)starts[i] - arena);
            const bool is_held = at <= asked && asked < ends[at];
            const enum record_leak_kind kind = kind_of_tracked(starts[i]);
            assert_int_equal(kind == RECORD_REACHABLE || kind == RECORD_INTERIOR, is_held);
            touches |= at < begin_at + 7 && ends[at] > begin_at;
        }
        const uintptr_t from = (uintptr_t)arena + begin_at;
        assert_int_equal(leak_tracked_touches(&scan.tracked, from, from + 7), touches);
        leak_scan_end(&scan);
        untrack_all(starts, count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_holds_it_is_asked_and_what_it_holds_counts),
        cmocka_unit_test(one_within_another_has_its_own_words),
        cmocka_unit_test(all_that_hold_an_address_are_found),
    };
    leak_test_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
