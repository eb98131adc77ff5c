// Protects: runs do not overlap, are as long and as aligned as asked, zero when they say so, merge
// when they come back, and go back to the kernel oldest first; the sums always agree.
#include "heap_test.h"

#include "heap/span_map.h"
#include "os/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

// A published run of pages.
static struct span *take(size_t page_count, size_t align, enum page_wish wish)
{
    struct span *span = page_heap_take(page_count, align, wish);
    assert_non_null(span);
    assert_true(span->page_count >= page_count);
    assert_int_equal(span->base % align, 0);
    assert_int_equal(span->size, span->page_count << PAGE_SHIFT);
    span->block_size = 0;
    span_set_state(span, SPAN_LARGE);
    span->announced = 1; // as heap_check() wants it of a block
    page_heap_publish(span);
    return span;
}

static bool stand_in_a_row(struct span *const *spans, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (spans[i]->base != spans[i - 1]->base + spans[i - 1]->size) return false;
    }
    return true;
}

// Clean ones of so many pages, one after the other. Where the kernel maps decides whether there are
// scraps that one of them fits into better: those are used up first.
static void take_row(struct span **spans_out, const size_t *pages, size_t count)
{
    enum { SCRAPS_MAX = 64 };
    struct span *scraps[SCRAPS_MAX];
    size_t scrap_count = 0;
    (void)heap_trim(0);
    for (;;) {
        for (size_t i = 0; i < count; i++) spans_out[i] = take(pages[i], PAGE_SIZE, PAGES_ZERO);
        if (stand_in_a_row(spans_out, count)) break;
        for (size_t i = 0; i < count; i++) {
            assert_true(scrap_count < SCRAPS_MAX);
            scraps[scrap_count++] = spans_out[i];
        }
    }
    while (scrap_count > 0) page_heap_give(scraps[--scrap_count]);
    (void)heap_trim(0);
}

// The free run that `address` lies in: it may have merged with what was before it.
static const struct span *run_at(uintptr_t address)
{
    const struct span *run = span_map_next(address); // that of its last page, if not of its first
    if (!run || run->base > address || span_state(run) != SPAN_FREE) {
        fail_msg("no free run at %#lx", address);
    }
    return run;
}

static bool is_zero(const struct span *span)
{
    const uint64_t *words = (const uint64_t *)span->base;
    for (size_t i = 0; i < span->size / sizeof *words; i++) {
        if (words[i]) return false;
    }
    return true;
}

static size_t resident_pages(uintptr_t base, size_t size)
{
    unsigned char *vector = calloc(size / PAGE_SIZE, 1);
    assert_int_equal(mincore((void *)base, size, vector), 0);
    size_t count = 0;
    for (size_t i = 0; i < size / PAGE_SIZE; i++) count += vector[i] & 1;
    free(vector);
    return count;
}

static void a_fresh_run_is_clean_and_zero_and_found(void **state)
{
    (void)state;
    struct span *span = take(5, PAGE_SIZE, PAGES_ANY);
    assert_int_equal(span->page_count, 5);
    assert_false(span->is_dirty);
    assert_true(is_zero(span));
    assert_ptr_equal(span_map_find(span->base + span->size - 1), span);
    struct heap_census census = heap_check();
    assert_int_equal(census.in_use_bytes, 5 * PAGE_SIZE);
    page_heap_give(span);
    (void)heap_check();
}

static void runs_start_at_the_multiple_asked_for(void **state)
{
    (void)state;
    struct span *spans[12];
    for (size_t i = 0; i < 12; i++) spans[i] = take(3, PAGE_SIZE << i, PAGES_ANY);
    (void)heap_check();
    for (size_t i = 0; i < 12; i++) page_heap_give(spans[i]);
    (void)heap_check();
}

static void neighbours_merge_whatever_the_order_they_come_back_in(void **state)
{
    (void)state;
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (size_t i = 0; i < 6; i++) {
        struct span *spans[3];
        take_row(spans, (const size_t[]){4, 4, 4}, 3);
        uintptr_t base = spans[0]->base;
        for (size_t j = 0; j < 3; j++) page_heap_give(spans[orders[i][j]]);
        (void)heap_check(); // no two neighbours of a kind
        const struct span *run = run_at(base);
        assert_true(run->base <= base && run->base + run->size >= base + 12 * PAGE_SIZE);
        assert_true(run->is_dirty);
    }
}

static void what_was_used_is_dirty_and_preferred_unless_zeroes_are_wanted(void **state)
{
    (void)state;
    (void)heap_trim(0);
    struct span *span = take(8, PAGE_SIZE, PAGES_ANY);
    uintptr_t base = span->base;
    memset((void *)base, 0xaa, span->size);
    page_heap_give(span);
    struct span *zero = take(8, PAGE_SIZE, PAGES_ZERO);
    assert_false(zero->is_dirty);
    assert_true(is_zero(zero));
    struct span *any = take(8, PAGE_SIZE, PAGES_ANY);
    assert_int_equal(any->base, base);
    assert_true(any->is_dirty);
    page_heap_give(zero);
    page_heap_give(any);
    (void)heap_check();
}

static void purged_runs_are_not_resident_and_zero(void **state)
{
    (void)state;
    struct span *span = take(16, PAGE_SIZE, PAGES_ANY);
    struct span *wall = take(1, PAGE_SIZE, PAGES_ANY);
    uintptr_t base = span->base;
    memset((void *)base, 0xaa, 16 * PAGE_SIZE);
    page_heap_give(span);
    assert_true(page_heap_purge(0, UINT64_MAX) >= 16 * PAGE_SIZE);
    assert_int_equal(page_heap_figures().dirty_bytes, 0);
    assert_int_equal(resident_pages(base, 16 * PAGE_SIZE), 0);
    assert_int_equal(heap_check().dirty_bytes, 0);
    span = take(16, PAGE_SIZE, PAGES_ZERO);
    assert_false(span->is_dirty);
    assert_true(is_zero(span));
    page_heap_give(span);
    page_heap_give(wall);
}

static void purging_keeps_what_it_is_told_to(void **state)
{
    (void)state;
    (void)heap_trim(0);
    struct span *spans[16];
    for (size_t i = 0; i < 16; i++) spans[i] = take(4, PAGE_SIZE, PAGES_ANY);
    for (size_t i = 0; i < 16; i += 2) page_heap_give(spans[i]); // 8 runs apart
    assert_int_equal(page_heap_figures().dirty_bytes, 32 * PAGE_SIZE);
    assert_int_equal(page_heap_purge(32 * PAGE_SIZE, UINT64_MAX), 0);
    assert_int_equal(page_heap_purge(20 * PAGE_SIZE, UINT64_MAX), 12 * PAGE_SIZE);
    assert_int_equal(page_heap_figures().dirty_bytes, 20 * PAGE_SIZE);
    (void)heap_check();
    for (size_t i = 1; i < 16; i += 2) page_heap_give(spans[i]);
    (void)heap_check();
}

static void the_oldest_go_first_and_the_young_are_spared(void **state)
{
    (void)state;
    struct span *row[5];
    take_row(row, (const size_t[]){2, 4, 1, 4, 1}, 5);
    page_heap_give(row[0]);
    (void)page_heap_purge(0, UINT64_MAX); // clean: the old one, once purged, merges with it
    struct span *old = row[1];
    struct span *between = row[2];
    struct span *young = row[3];
    struct span *wall = row[4];
    uintptr_t old_base = old->base;
    uintptr_t young_base = young->base;
    page_heap_give(old);
    uint64_t then_ms = clock_coarse_ms();
    clock_sleep_ms(50);
    page_heap_give(young);
    assert_int_equal(page_heap_purge(0, then_ms), 4 * PAGE_SIZE);
    assert_false(run_at(old_base)->is_dirty);
    assert_true(run_at(young_base)->is_dirty);
    assert_int_equal(page_heap_purge(0, then_ms), 0);
    page_heap_give(between);
    page_heap_give(wall);
    (void)heap_check();
}

static void a_block_grows_into_what_follows_if_that_is_free(void **state)
{
    (void)state;
    struct span *row[3];
    take_row(row, (const size_t[]){4, 8, 1}, 3);
    struct span *span = row[0];
    struct span *next = row[1];
    struct span *wall = row[2];
    assert_false(page_heap_resize(span, 5));
    assert_int_equal(span->page_count, 4);
    memset((void *)next->base, 0xaa, next->size);
    page_heap_give(next);
    assert_true(page_heap_resize(span, 4));
    assert_true(page_heap_resize(span, 7));
    assert_int_equal(span->page_count, 7);
    assert_true(span->is_dirty); // it has somebody's bytes now
    (void)heap_check();
    assert_false(page_heap_resize(span, 13));
    assert_true(page_heap_resize(span, 12));
    (void)heap_check();
    assert_true(page_heap_resize(span, 2));
    assert_int_equal(span->size, 2 * PAGE_SIZE);
    assert_null(span_map_find(span->base + 2 * PAGE_SIZE));
    (void)heap_check();
    page_heap_give(span);
    page_heap_give(wall);
    (void)heap_check();
}

static void *alloc_block(void *size)
{
    return heap_alloc((size_t)size);
}

static void one_small_span_after_the_other_is_made_busy(void **state)
{
    (void)state;
    void *blocks[3] = {heap_alloc(16), heap_alloc(500), heap_alloc(8000)};
    assert_null(page_heap_next_small(0));                    // all are current, and so busy already
    assert_non_null(run_in_thread(alloc_block, (void *)48)); // by a thread that left its heap
    struct span *span = page_heap_next_small(0);
    assert_non_null(span);
    assert_int_equal(span->busy, 1);
    assert_int_equal(span->block_size, 48);
    assert_null(page_heap_next_small(0));
    span_give_busy(span);
    assert_ptr_equal(page_heap_next_small(span->base), span);
    span_give_busy(span);
    assert_null(page_heap_next_small(span->base + span->size));
    for (size_t i = 0; i < 3; i++) heap_free(blocks[i]);
    heap_free((void *)span->base);
    (void)heap_check();
}

static void relief_gives_every_free_run_back(void **state)
{
    (void)state;
    struct span *spans[9];
    for (size_t i = 0; i < 9; i++) spans[i] = take(300, PAGE_SIZE, PAGES_ANY);
    for (size_t i = 0; i < 9; i += 2) page_heap_give(spans[i]);
    assert_true(page_heap_relieve());
    struct heap_census census = heap_check();
    assert_int_equal(census.dirty_bytes + census.clean_bytes, 0);
    assert_int_equal(page_heap_figures().mapped_bytes, census.in_use_bytes);
    assert_false(page_heap_relieve());
    for (size_t i = 1; i < 9; i += 2) {
        memset((void *)spans[i]->base, 1, spans[i]->size); // what is in use stays
        page_heap_give(spans[i]);
    }
    (void)heap_check();
}

static void what_cannot_be_is_null(void **state)
{
    (void)state;
    assert_null(page_heap_take((size_t)1 << 40, PAGE_SIZE, PAGES_ANY));
    assert_null(page_heap_take(1, (size_t)1 << 52, PAGES_ANY));
    (void)heap_check();
}

static void random_traffic_keeps_every_invariant(void **state)
{
    (void)state;
    enum { SPANS = 100 };
    unsigned seed = 777;
    print_message("# seed %u\n", seed);
    struct span *spans[SPANS] = {NULL};
    for (int step = 0; step < 20000; step++) {
        struct span **span = &spans[(size_t)rand_r(&seed) % SPANS];
        size_t pages = 1 + (size_t)rand_r(&seed) % (1u << rand_r(&seed) % 9);
        if (!*span) {
            enum page_wish wish = (enum page_wish)(rand_r(&seed) % 3);
            *span = take(pages, PAGE_SIZE << rand_r(&seed) % 3, wish);
            if (!(*span)->is_dirty) assert_true(is_zero(*span));
            memset((void *)(*span)->base, 0xaa, (*span)->size);
        } else if (rand_r(&seed) % 4 == 0) {
            (void)page_heap_resize(*span, pages);
        } else {
            page_heap_give(*span);
            *span = NULL;
        }
        if (step % 500 == 0) (void)page_heap_purge((size_t)rand_r(&seed) % MIB, UINT64_MAX);
        if (step % 100 == 0) (void)heap_check();
    }
    for (size_t i = 0; i < SPANS; i++) {
        if (spans[i]) page_heap_give(spans[i]);
    }
    assert_int_equal(heap_check().in_use_bytes, 0);
}

// A program with one peak after the other, and all of it purged in between.
static void peaks_leave_no_scraps_of_address_space(void **state)
{
    (void)state;
    unsigned seed = 7;
    for (int round = 0; round < 400; round++) {
        struct span *spans[40];
        for (size_t i = 0; i < 40; i++) {
            size_t page_count = rand_r(&seed) % 4 ? 1 + (size_t)rand_r(&seed) % 20 : 300;
            spans[i] = take(page_count, PAGE_SIZE, PAGES_ANY);
        }
        for (size_t i = 0; i < 40; i++) page_heap_give(spans[i]);
        (void)page_heap_purge(0, UINT64_MAX);
    }
    struct page_heap_figures figures = page_heap_figures();
    assert_int_equal(figures.dirty_bytes, 0);
    assert_true(figures.mapped_bytes <= 20 * MIB); // without: 200
    (void)heap_check();
}

// A large block that goes leaves no more clean address space than a fresh segment has.
static void what_is_long_is_unmapped(void **state)
{
    (void)state;
    struct span *span = take(30000, PAGE_SIZE, PAGES_ANY); // 117 MiB
    page_heap_give(span);
    (void)page_heap_purge(0, UINT64_MAX);
    assert_true(page_heap_figures().clean_bytes <= 20 * MIB);
    (void)heap_check();
}

static atomic_bool purgers_end;

static void *take_give_and_purge(void *seed)
{
    unsigned random = (unsigned)(uintptr_t)seed;
    while (!purgers_end) {
        struct span *spans[40];
        for (size_t i = 0; i < 40; i++) {
            size_t page_count = rand_r(&random) % 4 ? 1 + (size_t)rand_r(&random) % 20 : 300;
            spans[i] = take(page_count, PAGE_SIZE, PAGES_ANY);
            memset((void *)spans[i]->base, 1, PAGE_SIZE);
        }
        for (size_t i = 0; i < 40; i++) page_heap_give(spans[i]);
        (void)page_heap_purge(0, UINT64_MAX);
    }
    return NULL;
}

// In the child: nothing is left that nobody can take or purge.
static int runs_of_the_child(void)
{
    (void)page_heap_purge(0, UINT64_MAX);
    struct span *span = page_heap_take(3, PAGE_SIZE, PAGES_ANY);
    if (!span) return 1;
    page_heap_give(span);
    (void)page_heap_purge(0, UINT64_MAX);
    return page_heap_figures().dirty_bytes == 0 ? 0 : 2;
}

static void a_forked_child_takes_over_what_others_were_purging(void **state)
{
    (void)state;
    pthread_t purger;
    purgers_end = false;
    assert_int_equal(pthread_create(&purger, NULL, take_give_and_purge, (void *)7), 0);
    for (int i = 0; i < 100; i++) {
        heap_fork_prepare();
        pid_t child = fork();
        if (child == 0) {
            heap_fork_child();
            _exit(runs_of_the_child());
        }
        heap_fork_parent();
        assert_true(child > 0);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    purgers_end = true;
    pthread_join(purger, NULL);
    (void)heap_check();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_run_is_clean_and_zero_and_found),
        cmocka_unit_test(runs_start_at_the_multiple_asked_for),
        cmocka_unit_test(neighbours_merge_whatever_the_order_they_come_back_in),
        cmocka_unit_test(what_was_used_is_dirty_and_preferred_unless_zeroes_are_wanted),
        cmocka_unit_test(purged_runs_are_not_resident_and_zero),
        cmocka_unit_test(purging_keeps_what_it_is_told_to),
        cmocka_unit_test(the_oldest_go_first_and_the_young_are_spared),
        cmocka_unit_test(a_block_grows_into_what_follows_if_that_is_free),
        cmocka_unit_test(relief_gives_every_free_run_back),
        cmocka_unit_test(what_cannot_be_is_null),
        cmocka_unit_test(random_traffic_keeps_every_invariant),
        cmocka_unit_test(one_small_span_after_the_other_is_made_busy),
        cmocka_unit_test(peaks_leave_no_scraps_of_address_space),
        cmocka_unit_test(what_is_long_is_unmapped),
        cmocka_unit_test(a_forked_child_takes_over_what_others_were_purging),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
