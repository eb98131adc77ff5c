// Protects: any word at all is answered: inside a live block, with that block; in freed ones, as
// free; anywhere else, with nothing, and never a crash. And that a walk meets the live blocks and
// no others. Through loads and through the kernel, which must agree.
#include "heap_test.h"

#include "base/align.h"
#include "os/memory_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const uintptr_t root = (uintptr_t)&mete_heap_root;

// The words lead to the block, and the kernel's view is the same.
static void expect_live_at(uintptr_t block, size_t block_size, size_t offset)
{
    struct memory_reader kernel = memory_reader_process(getpid());
    struct heap_block own = {0};
    struct heap_block other = {0};
    assert_true(resolve_own(block + offset, &own));
    assert_int_equal(own.start, block);
    assert_int_equal(own.block_size, block_size);
    assert_int_equal(own.state, HEAP_BLOCK_LIVE);
    assert_true(heap_resolve(&kernel, root, block + offset, &other));
    assert_memory_equal(&own, &other, sizeof own);
}

static void every_byte_of_a_block_of_every_class_leads_to_it(void **state)
{
    (void)state;
    for (unsigned class = 1; class < CLASS_COUNT; class ++) {
        size_t size = size_class_size(class);
        char *blocks[3]; // of that class, see borrow.h
        for (size_t i = 0; i < 3; i++) blocks[i] = heap_alloc_aligned(size, GRANULE);
        struct heap_block found;
        for (size_t i = 0; i < 3; i++) {
            for (size_t offset = 0; offset < size; offset++) {
                assert_true(resolve_own((uintptr_t)blocks[i] + offset, &found));
                if (found.start != (uintptr_t)blocks[i] || found.block_size != size ||
                    found.state != HEAP_BLOCK_LIVE || found.size != size || found.site) {
                    fail_msg("byte %zu of a block of %zu", offset, size);
                }
            }
            expect_live_at((uintptr_t)blocks[i], size, 0);
            expect_live_at((uintptr_t)blocks[i], size, size / 2);
            expect_live_at((uintptr_t)blocks[i], size, size - 1);
        }
        for (size_t i = 0; i < 3; i++) heap_free(blocks[i]);
    }
}

static void large_and_direct_blocks_are_found_far_inside(void **state)
{
    (void)state;
    set_direct_size(MIB);
    unsigned seed = 5;
    const size_t sizes[] = {SMALL_SIZE_MAX + 1, 100 * KIB, MIB - 1,   MIB,      5 * MIB + 7,
                            32 * MIB,           33 * MIB,  100 * MIB, 700 * MIB};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *block = heap_alloc(sizes[i]); // mostly never touched
        assert_non_null(block);
        size_t block_size = align_up(sizes[i], PAGE_SIZE);
        for (size_t offset = 0; offset < block_size; offset += block_size / 1000 * 16 + 1) {
            expect_live_at((uintptr_t)block, block_size, offset);
        }
        for (int j = 0; j < 1000; j++) {
            size_t offset = ((size_t)rand_r(&seed) << 20 ^ (size_t)rand_r(&seed)) % block_size;
            expect_live_at((uintptr_t)block, block_size, offset);
        }
        expect_live_at((uintptr_t)block, block_size, block_size - 1);
        struct heap_block found;
        if (resolve_own((uintptr_t)block + block_size, &found)) {
            assert_int_not_equal(found.start, (uintptr_t)block);
        }
        heap_free(block);
        assert_false(resolve_own((uintptr_t)block, &found) && found.state == HEAP_BLOCK_LIVE);
        assert_false(resolve_own((uintptr_t)block + block_size / 2, &found) &&
                     found.state == HEAP_BLOCK_LIVE);
    }
}

static void a_freed_block_among_live_ones_is_free_from_every_byte(void **state)
{
    (void)state;
    for (unsigned class = 1; class < CLASS_COUNT; class += 7) {
        size_t size = size_class_size(class);
        char *before = heap_alloc_aligned(size, GRANULE); // keeps the span
        char *block = heap_alloc_aligned(size, GRANULE);
        heap_free(block);
        for (size_t offset = 0; offset < size; offset += size / 16 + 1) {
            struct heap_block found;
            if (!resolve_own((uintptr_t)block + offset, &found)) continue; // a span of one block
            assert_int_equal(found.start, (uintptr_t)block);
            assert_int_equal(found.block_size, size);
            assert_int_equal(found.state, HEAP_BLOCK_FREE);
        }
        heap_free(before);
    }
}

static void what_another_thread_freed_is_free_before_the_owner_knows(void **state)
{
    (void)state;
    char *before = heap_alloc(100);
    char *block = heap_alloc(100);
    free_in_thread(block);
    struct heap_block found;
    assert_true(resolve_own((uintptr_t)block + 50, &found));
    assert_int_equal(found.start, (uintptr_t)block);
    assert_int_equal(found.state, HEAP_BLOCK_FREE);
    assert_true(resolve_own((uintptr_t)before, &found));
    assert_int_equal(found.state, HEAP_BLOCK_LIVE);
    heap_free(before);
}

static void what_is_not_of_the_heap_is_nothing(void **state)
{
    (void)state;
    static int in_data;
    int on_stack = 0;
    char *from_libc = malloc(100);
    char *unmapped = mmap(NULL, PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(unmapped, PAGE_SIZE);
    const uintptr_t words[] = {
        0,
        1,
        16,
        PAGE_SIZE,
        (uintptr_t)&in_data,
        (uintptr_t)&on_stack,
        (uintptr_t)from_libc,
        (uintptr_t)unmapped,
        (uintptr_t)what_is_not_of_the_heap_is_nothing,
        (uintptr_t)&mete_heap_root,
        ((uintptr_t)1 << 47) - 1,
        (uintptr_t)1 << 47,
        ((uintptr_t)1 << 47) + 4096,
        (uintptr_t)1 << 63,
        UINTPTR_MAX,
        UINTPTR_MAX - 15,
        UINT64_C(0xffff800000000000),
        UINT64_C(0xffffffffff600000),
    };
    const struct memory_reader readers[] = {
        memory_reader_own(),
        memory_reader_process(getpid()),
    };
    struct heap_block found;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        for (size_t j = 0; j < 2; j++) {
            assert_false(heap_resolve(&readers[j], root, words[i], &found));
        }
    }
    free(from_libc);
}

// Of many blocks, half of them freed: whatever is found holds the word, and is what it should be.
static void words_at_random_are_answered_soundly(void **state)
{
    (void)state;
    enum { BLOCKS = 3000 };
    unsigned seed = 20261122;
    print_message("# seed %u\n", seed);
    static char *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) blocks[i] = heap_alloc(1 + (size_t)rand_r(&seed) % 60000);
    for (size_t i = 0; i < BLOCKS; i += 2) heap_free(blocks[i]);
    for (int i = 0; i < 200000; i++) {
        uintptr_t word = (uintptr_t)rand_r(&seed) << 33 ^ (uintptr_t)rand_r(&seed) << 8;
        if (i % 2) word = (uintptr_t)blocks[(size_t)rand_r(&seed) % BLOCKS] + word % (64 * MIB);
        struct heap_block found;
        if (!resolve_own(word, &found)) continue;
        assert_true(word - found.start < found.block_size);
        assert_int_equal(found.start % 16, 0);
    }
    for (size_t i = 1; i < BLOCKS; i += 2) heap_free(blocks[i]);
}

// --- walking
// ---------------------------------------------------------------------------------------

struct walk {
    struct heap_block blocks[4000];
    size_t count;
    size_t stop_after;
};

static bool take_down(void *context, const struct heap_block *block)
{
    struct walk *walk = context;
    assert_true(walk->count < 4000);
    if (walk->count) assert_true(walk->blocks[walk->count - 1].start < block->start);
    walk->blocks[walk->count++] = *block;
    return walk->count != walk->stop_after;
}

static struct walk walk_with(struct memory_reader reader, size_t stop_after)
{
    struct walk walk = {.stop_after = stop_after};
    assert_int_equal(heap_walk(&reader, root, take_down, &walk), 0);
    return walk;
}

static int compare_pointers(const void *left, const void *right)
{
    uintptr_t a = (uintptr_t) * (char *const *)left;
    uintptr_t b = (uintptr_t) * (char *const *)right;
    return (a > b) - (a < b);
}

static void a_walk_meets_exactly_the_live_blocks_in_order(void **state)
{
    (void)state;
    enum { BLOCKS = 2000 };
    set_direct_size(MIB);
    unsigned seed = 3;
    static char *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t kind = (size_t)rand_r(&seed) % 100;
        size_t bound = kind == 0 ? 40 * MIB : kind < 5 ? MIB : 5000;
        blocks[i] = heap_alloc(1 + (size_t)rand_r(&seed) % bound);
    }
    size_t live = 0;
    for (size_t i = 0; i < BLOCKS; i++) {
        if (i % 3 == 0) heap_free(blocks[i]);
        if (i % 3 == 1) free_in_thread(blocks[i]);
        if (i % 3 == 2) blocks[live++] = blocks[i];
    }
    qsort(blocks, live, sizeof blocks[0], compare_pointers);
    static struct walk own;
    static struct walk other;
    own = walk_with(memory_reader_own(), 0);
    other = walk_with(memory_reader_process(getpid()), 0);
    assert_int_equal(own.count, live);
    assert_int_equal(other.count, live);
    for (size_t i = 0; i < live; i++) {
        assert_int_equal(own.blocks[i].start, (uintptr_t)blocks[i]);
        assert_int_equal(own.blocks[i].block_size, heap_block_size(blocks[i]));
        assert_int_equal(own.blocks[i].state, HEAP_BLOCK_LIVE);
        assert_memory_equal(&own.blocks[i], &other.blocks[i], sizeof own.blocks[i]);
    }
    assert_int_equal(heap_check().live_blocks, live);
    for (size_t i = 0; i < live; i++) heap_free(blocks[i]);
    assert_int_equal(count_walked(), 0);
}

static void a_visitor_that_has_had_enough_ends_the_walk(void **state)
{
    (void)state;
    char *blocks[50];
    for (size_t i = 0; i < 50; i++) blocks[i] = heap_alloc(i % 2 ? 100 : 50000);
    for (size_t enough = 1; enough <= 50; enough += 7) {
        assert_int_equal(walk_with(memory_reader_own(), enough).count, enough);
    }
    for (size_t i = 0; i < 50; i++) heap_free(blocks[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_of_a_block_of_every_class_leads_to_it),
        cmocka_unit_test(large_and_direct_blocks_are_found_far_inside),
        cmocka_unit_test(a_freed_block_among_live_ones_is_free_from_every_byte),
        cmocka_unit_test(what_another_thread_freed_is_free_before_the_owner_knows),
        cmocka_unit_test(what_is_not_of_the_heap_is_nothing),
        cmocka_unit_test(words_at_random_are_answered_soundly),
        cmocka_unit_test(a_walk_meets_exactly_the_live_blocks_in_order),
        cmocka_unit_test(a_visitor_that_has_had_enough_ends_the_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
