// Protects: what is said of a pointer that is no live block, to the letter. tests/misuse tries the
// same through malloc's names; here are the cases that need the heap's insides.
#include "heap_test.h"

#include "../base/dying.h"
#include "heap/misuse.h"
#include "heap/span_map.h"

#include <stdlib.h>

static void free_it(void *pointer)
{
    heap_free(pointer);
}

static void realloc_it(void *pointer)
{
    (void)heap_realloc(pointer, 10);
}

static void resize_it(void *pointer)
{
    (void)heap_resize(pointer, 10);
}

static void size_it(void *pointer)
{
    (void)heap_block_size(pointer);
}

static void free_it_as_disposal(void *pointer)
{
    heap_free_named(pointer, "dispose");
}

static void realloc_it_as_stretching(void *pointer)
{
    (void)heap_realloc_named(pointer, 10, "stretch");
}

static void size_it_as_measuring(void *pointer)
{
    (void)heap_block_size_named(pointer, "measure");
}

static void free_it_twice(void *pointer)
{
    heap_free(pointer);
    heap_free(pointer);
}

static void free_it_then_realloc(void *pointer)
{
    heap_free(pointer);
    (void)heap_realloc(pointer, 10);
}

static void expect_line(void (*act)(void *), void *pointer, const char *verb, const char *reason)
{
    char line[256];
    (void)snprintf(line, sizeof line, "mete: %s(0x%lx): %s\n", verb, (uintptr_t)pointer, reason);
    expect_last_words(act, pointer, line);
}

static void free_it_then_size(void *pointer)
{
    heap_free(pointer);
    (void)heap_block_size(pointer);
}

static void free_it_then_resize(void *pointer)
{
    heap_free(pointer);
    (void)heap_resize(pointer, 10);
}

static void a_second_free_and_a_use_after_it_name_the_block_size(void **state)
{
    (void)state;
    set_direct_size(MIB);
    const size_t sizes[] = {1, 100, 30000, 40000, 300 * KIB, 2 * MIB};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        void *beside = heap_alloc(sizes[i]); // the span outlives the block
        void *block = heap_alloc(sizes[i]);
        char reason[100];
        (void)snprintf(reason, sizeof reason, "double free of a block of %zu bytes",
                       heap_block_size(block));
        expect_line(free_it_twice, block, "free", reason);
        (void)snprintf(reason, sizeof reason, "use of a freed block of %zu bytes",
                       heap_block_size(block));
        expect_line(free_it_then_realloc, block, "realloc", reason);
        expect_line(free_it_then_resize, block, "realloc", reason);
        expect_line(free_it_then_size, block, "malloc_usable_size", reason);
        heap_free(block);
        heap_free(beside);
    }
}

static void a_second_free_is_caught_also_when_the_span_is_gone(void **state)
{
    (void)state;
    // The only block of its span; its pages are free, or purged, or unmapped then.
    struct death death = death_of(free_it_twice, heap_alloc(25000));
    assert_true(WIFSIGNALED(death.status) && WTERMSIG(death.status) == SIGABRT);
    assert_non_null(strstr(death.words, "mete: free(0x"));
}

static void a_pointer_inside_names_the_block_it_is_in(void **state)
{
    (void)state;
    set_direct_size(MIB);
    const size_t sizes[] = {100, 30000, 40000, 70 * MIB};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *block = heap_alloc(sizes[i]);
        const size_t offsets[] = {1, 8, 16, sizes[i] / 2, sizes[i] - 1};
        for (size_t j = 0; j < sizeof offsets / sizeof offsets[0]; j++) {
            char reason[160];
            (void)snprintf(reason, sizeof reason, "%zu bytes into a block of %zu bytes at %#lx",
                           offsets[j], heap_block_size(block), (uintptr_t)block);
            expect_line(free_it, block + offsets[j], "free", reason);
            if (j != 2) continue;
            expect_line(realloc_it, block + offsets[j], "realloc", reason);
            expect_line(resize_it, block + offsets[j], "realloc", reason);
            expect_line(size_it, block + offsets[j], "malloc_usable_size", reason);
        }
        heap_free(block);
    }
}

static void the_call_is_named_as_the_caller_says(void **state)
{
    (void)state;
    int on_stack = 0;
    char *block = heap_alloc(100);
    const char *foreign = "not from this heap";
    char inside[160];
    (void)snprintf(inside, sizeof inside, "16 bytes into a block of %zu bytes at %#lx",
                   heap_block_size(block), (uintptr_t)block);
    expect_line(free_it_as_disposal, &on_stack, "dispose", foreign);
    expect_line(realloc_it_as_stretching, &on_stack, "stretch", foreign);
    expect_line(size_it_as_measuring, &on_stack, "measure", foreign);
    expect_line(free_it_as_disposal, block + 16, "dispose", inside);
    expect_line(realloc_it_as_stretching, block + 16, "stretch", inside);
    expect_line(size_it_as_measuring, block + 16, "measure", inside);
    heap_free_named(NULL, "dispose");
    heap_free_named(block, "dispose");
}

static void a_peek_at_what_is_no_live_block_says_nothing(void **state)
{
    (void)state;
    const size_t sizes[] = {100, 30000, 40000, 70 * MIB};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *beside = heap_alloc(sizes[i]);
        char *block = heap_alloc(sizes[i]);
        assert_int_equal(heap_peek_size(block), heap_block_size(block));
        assert_int_equal(heap_peek_size(block + 16), 0);
        assert_int_equal(heap_peek_size(block + 1), 0);
        heap_free(block);
        assert_int_equal(heap_peek_size(block), 0);
        heap_free(beside);
    }
    assert_int_equal(heap_peek_size(NULL), 0);
    assert_int_equal(heap_peek_size(&state), 0);
    assert_int_equal(heap_peek_size((void *)UINTPTR_MAX), 0);
}

static void a_pointer_inside_a_freed_block_says_so(void **state)
{
    (void)state;
    char *beside = heap_alloc(100);
    char *block = heap_alloc(100);
    char reason[160];
    heap_free(block);
    (void)snprintf(reason, sizeof reason, "16 bytes into a block of %zu bytes at %#lx that is free",
                   heap_block_size(beside), (uintptr_t)block);
    expect_line(free_it, block + 16, "free", reason);
    heap_free(beside);
}

static void a_block_never_handed_out_is_told_apart_from_a_freed_one(void **state)
{
    (void)state;
    void *block = heap_alloc(24 * KIB); // its span has pages that nobody has touched yet
    struct span *span = span_map_find((uintptr_t)block);
    for (uint32_t i = 0; i < span->capacity; i++) {
        size_t page = (span_block(span, i) - span->base) >> PAGE_SHIFT;
        if (page < span->touched_pages) continue;
        expect_line(free_it, (void *)span_block(span, i), "free", "not a block: never handed out");
    }
    size_t end = (size_t)span->capacity * span->block_size;
    if (end < span->size) {
        expect_line(free_it, (void *)(span->base + end), "free",
                    "not a block: behind the last one of a span");
    }
    heap_free(block);
}

static void what_is_not_of_the_heap_is_said_to_be_so(void **state)
{
    (void)state;
    static int in_data;
    int on_stack = 0;
    void *from_libc = malloc(100);
    void *const pointers[] = {
        (void *)8,           &in_data,
        &on_stack,           from_libc,
        (void *)&heap_alloc, (void *)((uintptr_t)1 << 47),
        (void *)UINTPTR_MAX, (void *)((uintptr_t)1 << 63),
    };
    for (size_t i = 0; i < sizeof pointers / sizeof pointers[0]; i++) {
        expect_line(free_it, pointers[i], "free", "not from this heap");
        expect_line(size_it, pointers[i], "malloc_usable_size", "not from this heap");
    }
    expect_line(realloc_it, NULL, "realloc", "not from this heap");
    free(from_libc);
}

// Another allocator, with one block.
static struct {
    char block[64];
    size_t calls;
    size_t size;
    bool is_awake;
} next_door;

static void next_door_free(void *block)
{
    assert_ptr_equal(block, next_door.block);
    next_door.calls++;
}

static void *next_door_realloc(void *block, size_t size)
{
    assert_ptr_equal(block, next_door.block);
    next_door.size = size;
    return next_door.block + 1;
}

static size_t next_door_size(void *block)
{
    assert_ptr_equal(block, next_door.block);
    return 64;
}

static void next_door_free_again(void *block)
{
    heap_free_named(block, "again");
}

static void what_is_not_of_the_heap_is_the_neighbours(void **state)
{
    (void)state;
    static const struct heap_neighbour neighbour = {
        .free = next_door_free, .realloc = next_door_realloc, .block_size = next_door_size};
    heap_set_neighbour(&neighbour);
    heap_free(next_door.block);
    heap_free_named(next_door.block, "dispose");
    assert_int_equal(next_door.calls, 2);
    assert_ptr_equal(heap_realloc(next_door.block, 100), next_door.block + 1);
    assert_int_equal(next_door.size, 100);
    assert_int_equal(heap_block_size(next_door.block), 64);
    assert_true(heap_resize(next_door.block, 64));
    assert_false(heap_resize(next_door.block, 65));
    assert_true(heap_resize_closely(next_door.block, 1));
    assert_false(heap_resize_closely(next_door.block, 65));
    assert_int_equal(heap_peek_size(next_door.block), 0);

    void *beside = heap_alloc(100);
    void *block = heap_alloc(100);
    expect_line(free_it_twice, block, "free", "double free of a block of 112 bytes");
    heap_free(block);
    heap_free(beside);
    heap_set_neighbour(NULL);
    expect_line(free_it, next_door.block, "free", "not from this heap");
}

static void a_neighbour_that_knows_nothing_saves_nobody(void **state)
{
    (void)state;
    static const struct heap_neighbour neighbour = {.free = next_door_free_again};
    heap_set_neighbour(&neighbour);
    expect_line(free_it, next_door.block, "again", "not from this heap");
    expect_line(realloc_it, next_door.block, "realloc", "not from this heap");
    expect_line(size_it, next_door.block, "malloc_usable_size", "not from this heap");
    heap_set_neighbour(NULL);
}

static bool next_door_has_blocks(void)
{
    return next_door.is_awake;
}

static void a_neighbour_without_blocks_is_not_asked(void **state)
{
    (void)state;
    static const struct heap_neighbour neighbour = {.free = next_door_free,
                                                    .has_blocks = next_door_has_blocks};
    heap_set_neighbour(&neighbour);
    expect_line(free_it, next_door.block, "free", "not from this heap");
    next_door.is_awake = true;
    size_t before = next_door.calls;
    heap_free(next_door.block);
    assert_int_equal(next_door.calls, before + 1);
    heap_set_neighbour(NULL);
}

static void a_large_block_freed_long_ago_is_remembered_for_a_while(void **state)
{
    (void)state;
    set_direct_size(64 * KIB);
    void *block = heap_alloc(100 * KIB);
    heap_free(block); // its mapping is gone
    void *others[100];
    for (size_t i = 0; i < 100; i++) others[i] = heap_alloc(80 * KIB + i * 4096);
    for (size_t i = 0; i < 100; i++) {
        if ((uintptr_t)block - (uintptr_t)others[i] < heap_block_size(others[i])) block = NULL;
    }
    for (size_t i = 0; i < 100; i++) heap_free(others[i]);
    if (block) expect_line(free_it, block, "free", "double free of a block of 102400 bytes");
    misuse_note_freed(0x12345000, 777, 777);
    expect_line(free_it, (void *)0x12345000, "free", "double free of a block of 777 bytes");
    expect_line(realloc_it, (void *)0x12345000, "realloc", "use of a freed block of 777 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_free_and_a_use_after_it_name_the_block_size),
        cmocka_unit_test(a_second_free_is_caught_also_when_the_span_is_gone),
        cmocka_unit_test(a_pointer_inside_names_the_block_it_is_in),
        cmocka_unit_test(the_call_is_named_as_the_caller_says),
        cmocka_unit_test(a_peek_at_what_is_no_live_block_says_nothing),
        cmocka_unit_test(a_pointer_inside_a_freed_block_says_so),
        cmocka_unit_test(a_block_never_handed_out_is_told_apart_from_a_freed_one),
        cmocka_unit_test(what_is_not_of_the_heap_is_said_to_be_so),
        cmocka_unit_test(what_is_not_of_the_heap_is_the_neighbours),
        cmocka_unit_test(a_neighbour_without_blocks_is_not_asked),
        cmocka_unit_test(a_neighbour_that_knows_nothing_saves_nobody),
        cmocka_unit_test(a_large_block_freed_long_ago_is_remembered_for_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
