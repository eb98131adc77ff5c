// The whole family mixed at random by one thread: alignment, contents, zeroes, sizes, overlap.
#include "family.h"

enum { COUNT = 3000, ROUNDS = 150000 };

struct block {
    void *start;
    size_t size;
    uint64_t seed;
};

static struct block blocks[COUNT];

static size_t size_choose(uint64_t *random)
{
    switch (random_next(random) % 1000) {
    case 0: return random_size(random, 24 * MIB);
    case 1 ... 20:
        return edge_sizes[random_next(random) % (edge_sizes_count - 6)] + random_next(random) % 3;
    case 21 ... 100: return random_size(random, 300 * KIB);
    default: return random_size(random, 2 * KIB);
    }
}

static void block_check(const struct block *block)
{
    assert_all_pattern(block->start, block->size, block->seed);
}

static void block_drop(struct block *block)
{
    block_check(block);
    free(block->start);
    *block = (struct block){0};
}

static void block_resize(struct block *block, size_t size)
{
    block_check(block);
    size_t kept = block->size < size ? block->size : size;
    void *start = pointer_hidden(realloc(block->start, size + 1));
    assert_non_null(start);
    assert_aligned(start, 16);
    assert_all_pattern(start, kept, block->seed);
    block->start = start;
}

static void block_make(struct block *block, size_t size, uint64_t *random)
{
    size_t align = (size_t)1 << (4 + random_next(random) % 14);
    switch (random_next(random) % 7) {
    case 0:
        block->start = pointer_hidden(calloc(1, size));
        assert_true(is_filled_with(block->start, size, 0));
        align = 16;
        break;
    case 1: assert_int_equal(posix_memalign(&block->start, align, size), 0); break;
    case 2: block->start = pointer_hidden(memalign(align, size)); break;
    case 3:
        block->start = pointer_hidden(valloc(size));
        align = 4096;
        break;
    default: block->start = pointer_hidden(malloc(size)); align = 16;
    }
    assert_non_null(block->start);
    assert_aligned(block->start, align);
}

static void the_whole_family_mixed_at_random_keeps_every_block_intact(void **state)
{
    (void)state;
    uint64_t random = seed_choose(__func__);
    for (size_t round = 0; round < ROUNDS; round++) {
        struct block *block = &blocks[random_next(&random) % COUNT];
        size_t size = size_choose(&random);
        if (block->start && random_next(&random) % 3 == 0) {
            block_drop(block);
            continue;
        }
        if (block->start && random_next(&random) % 2 == 0) {
            block_resize(block, size);
        } else {
            if (block->start) block_drop(block);
            block_make(block, size, &random);
        }
        size_t usable = malloc_usable_size(block->start);
        assert_true(usable >= size);
        block->size = random_next(&random) % 2 == 0 ? size : usable;
        block->seed = random_next(&random);
        pattern_fill(block->start, block->size, block->seed);
        if (round % 20000 == 0) (void)malloc_trim(0); // must change nothing that is in use
    }
    for (size_t i = 0; i < COUNT; i++)
        if (blocks[i].start) block_drop(&blocks[i]);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(the_whole_family_mixed_at_random_keeps_every_block_intact),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
