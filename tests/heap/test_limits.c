// Protects: a process that runs out of address space, of mappings, or of either amid anything is
// told so, keeps what it has, and goes on when there is some again. Not built with sanitizers,
// which need address space by the terabyte.
#include "heap_test.h"

#include "../base/dying.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static size_t address_space_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    size_t pages = 0;
    if (!file || fscanf(file, "%zu", &pages) != 1) _exit(90);
    fclose(file);
    return pages * PAGE_SIZE;
}

static void limit_address_space(size_t more)
{
    struct rlimit limit;
    (void)getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = more == SIZE_MAX ? limit.rlim_max : address_space_bytes() + more;
    if (setrlimit(RLIMIT_AS, &limit)) _exit(91);
}

struct chain {
    struct chain *next;
    size_t size;
};

// Allocates until there is no more; the contents are checked as the chain is freed.
static struct chain *use_all(size_t size, size_t *count_out)
{
    struct chain *chain = NULL;
    *count_out = 0;
    for (;;) {
        errno = 0;
        struct chain *block = heap_alloc(size);
        if (!block) break;
        memset(block, 0xaa, size);
        block->next = chain;
        block->size = size;
        chain = block;
        ++*count_out;
    }
    if (errno != ENOMEM) _exit(92);
    return chain;
}

static void free_chain(struct chain *chain)
{
    while (chain) {
        struct chain *next = chain->next;
        const unsigned char *bytes = (const unsigned char *)(chain + 1);
        for (size_t i = 0; i < chain->size - sizeof *chain; i++) {
            if (bytes[i] != 0xaa) _exit(93);
        }
        heap_free(chain);
        chain = next;
    }
}

// With blocks of each kind in turn: what one kind has freed serves the next.
static void exhaust_address_space(void *unused)
{
    (void)unused;
    const size_t sizes[] = {48, 5000, 32768, 100000, 3 * MIB, 64, 700000, 1000};
    set_direct_size(MIB);
    heap_free(heap_alloc(1));
    limit_address_space(48 * MIB);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t count;
        struct chain *chain = use_all(sizes[i], &count);
        if (count * sizes[i] < 30 * MIB) { // most of it could be used
            fprintf(stderr, "only %zu blocks of %zu\n", count, sizes[i]);
            _exit(1);
        }
        (void)heap_check();
        if (heap_realloc(chain, 60 * MIB)) _exit(30);
        if (heap_resize(chain, 60 * MIB)) _exit(31);
        (void)heap_check();
        free_chain(chain);
        (void)heap_check();
    }
    limit_address_space(SIZE_MAX);
    heap_free(heap_alloc(100 * MIB));
    if (heap_check().live_blocks) _exit(32);
}

static void address_space_that_runs_out_is_told_and_comes_back(void **state)
{
    (void)state;
    struct death death = death_of(exhaust_address_space, NULL);
    assert_string_equal(death.words, "");
    assert_int_equal(death.status, 0);
}

// The current spans of other classes, in which nothing lives, serve before the answer is NULL.
static void exhaust_beside_empty_spans(void *unused)
{
    (void)unused;
    limit_address_space(16 * MIB);
    size_t count;
    free_chain(use_all(4096, &count)); // its last span stays
    free_chain(use_all(30000, &count));
    struct chain *chain = use_all(100, &count);
    size_t spans = heap_check().small_spans;
    thread_heap_scavenge(thread_heap);
    if (heap_check().small_spans != spans) _exit(1);
    free_chain(chain);
}

static void nothing_is_kept_empty_when_there_is_no_more(void **state)
{
    (void)state;
    struct death death = death_of(exhaust_beside_empty_spans, NULL);
    assert_string_equal(death.words, "");
    assert_int_equal(death.status, 0);
}

// One page at a time becomes available, so that every allocation inside the heap fails once.
static void exhaust_step_by_step(void *unused)
{
    (void)unused;
    unsigned seed = 8;
    static void *blocks[400];
    set_direct_size(256 * KIB);
    for (size_t more = 0; more < 6 * MIB; more += 64 * KIB) {
        limit_address_space(more);
        for (int i = 0; i < 3000; i++) {
            void **block = &blocks[(size_t)rand_r(&seed) % 400];
            size_t size = (size_t)rand_r(&seed) % (1u << rand_r(&seed) % 20);
            if (*block && rand_r(&seed) % 2) {
                void *moved = heap_realloc(*block, size);
                if (moved) *block = moved;
            } else if (*block) {
                heap_free(*block);
                *block = NULL;
            } else if (rand_r(&seed) % 4) {
                *block = heap_alloc(size);
            } else {
                size_t align = (size_t)1 << rand_r(&seed) % 18;
                *block = heap_alloc_aligned(size, align);
                if ((uintptr_t)*block % align) _exit(2);
            }
        }
        limit_address_space(SIZE_MAX);
        (void)heap_check();
    }
}

static void want_of_memory_anywhere_leaves_the_heap_sound(void **state)
{
    (void)state;
    struct death death = death_of(exhaust_step_by_step, NULL);
    assert_string_equal(death.words, "");
    assert_int_equal(death.status, 0);
}

// As many mappings as the kernel allows: it can neither map nor cut a hole into a mapping any more.
static void exhaust_mappings(void *unused)
{
    (void)unused;
    size_t count;
    set_direct_size(64 * KIB);
    void *blocks[200];
    for (size_t i = 0; i < 200; i++) memset(blocks[i] = heap_alloc(MIB), 1, MIB);
    char *pages = mmap(NULL, (size_t)1 << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) _exit(3);
    for (size_t i = 0; i < (size_t)1 << 18; i += 2) {
        if (mprotect(pages + i * PAGE_SIZE, PAGE_SIZE, PROT_READ)) break;
    }
    for (size_t i = 0; i < 200; i += 2) heap_free(blocks[i]);
    alarm(50); // for ever is what this is about
    struct chain *chain = use_all(100 * KIB, &count);
    (void)heap_check();
    free_chain(chain);
    munmap(pages, (size_t)1 << 30);
    for (size_t i = 1; i < 200; i += 2) heap_free(blocks[i]);
    heap_free(heap_alloc(5 * MIB));
    (void)heap_check();
}

static void mappings_that_run_out_are_told_and_do_not_hang(void **state)
{
    (void)state;
    struct death death = death_of(exhaust_mappings, NULL);
    assert_string_equal(death.words, "");
    assert_int_equal(death.status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_space_that_runs_out_is_told_and_comes_back),
        cmocka_unit_test(nothing_is_kept_empty_when_there_is_no_more),
        cmocka_unit_test(want_of_memory_anywhere_leaves_the_heap_sound),
        cmocka_unit_test(mappings_that_run_out_are_told_and_do_not_hang),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
