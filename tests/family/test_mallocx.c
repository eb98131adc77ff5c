// mallocx and its kin, by jemalloc's manual, "Non-standard API". glibc has none of them, so they
// are found by name; Debian's jemalloc proves this program, the preload object is tested by it.
#include "family.h"

#include <dlfcn.h>
#include <strings.h>

// The flags, as jemalloc's header has them.
#define ALIGN_LOG2(log2) ((int)(log2))
#define ALIGN_TO(align) (ffsll((long long)(align)) - 1)
#define ZERO 0x40
#define NO_THREAD_CACHE 0x100
#define THREAD_CACHE(number) (((number) + 2) << 8)

static struct {
    void *(*mallocx)(size_t size, int flags);
    void *(*rallocx)(void *block, size_t size, int flags);
    size_t (*xallocx)(void *block, size_t size, size_t extra, int flags);
    size_t (*sallocx)(const void *block, int flags);
    void (*dallocx)(void *block, int flags);
    void (*sdallocx)(void *block, size_t size, int flags);
    size_t (*nallocx)(size_t size, int flags);
} api;

static int symbols_find(void **state)
{
    (void)state;
    *(void **)&api.mallocx = dlsym(RTLD_DEFAULT, "mallocx");
    *(void **)&api.rallocx = dlsym(RTLD_DEFAULT, "rallocx");
    *(void **)&api.xallocx = dlsym(RTLD_DEFAULT, "xallocx");
    *(void **)&api.sallocx = dlsym(RTLD_DEFAULT, "sallocx");
    *(void **)&api.dallocx = dlsym(RTLD_DEFAULT, "dallocx");
    *(void **)&api.sdallocx = dlsym(RTLD_DEFAULT, "sdallocx");
    *(void **)&api.nallocx = dlsym(RTLD_DEFAULT, "nallocx");
    return !api.mallocx || !api.rallocx || !api.xallocx || !api.sallocx || !api.dallocx ||
           !api.sdallocx || !api.nallocx;
}

// No function here takes size 0: jemalloc leaves that undefined.
static void mallocx_serves_every_size_and_nallocx_foretells_it(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 64 * KIB; size++) {
        void *block = api.mallocx(size, 0);
        assert_non_null(block);
        assert_aligned(block, size >= 16 ? 16 : 8);
        size_t real = api.sallocx(block, 0);
        assert_true(real >= size);
        assert_int_equal(real, api.nallocx(size, 0));
        memset(block, 1, real);
        if (size % 2 == 0)
            api.dallocx(block, 0);
        else
            api.sdallocx(block, size, 0);
    }
    for (size_t i = 1; i < edge_sizes_count; i++) {
        void *block = api.mallocx(edge_sizes[i], 0);
        assert_non_null(block);
        size_t real = api.sallocx(block, 0);
        assert_true(real >= edge_sizes[i]);
        assert_int_equal(real, api.nallocx(edge_sizes[i], 0));
        pattern_fill(block, real, i);
        assert_all_pattern(block, real, i);
        api.sdallocx(block, edge_sizes[i], 0);
    }
}

static void mallocx_aligns(void **state)
{
    (void)state;
    for (unsigned log2 = 0; log2 <= 25; log2++) {
        for (size_t size = 1; size <= MIB; size = size * 7 + 1) {
            void *block = api.mallocx(size, ALIGN_LOG2(log2));
            assert_non_null(block);
            assert_aligned(block, (size_t)1 << log2);
            size_t real = api.sallocx(block, ALIGN_LOG2(log2));
            assert_true(real >= size);
            assert_int_equal(real, api.nallocx(size, ALIGN_TO((size_t)1 << log2)));
            memset(block, 1, real);
            api.sdallocx(block, size, ALIGN_LOG2(log2));
        }
    }
}

static void mallocx_zero_clears_after_dirty_use(void **state)
{
    (void)state;
    for (size_t i = 1; i < edge_sizes_count; i++) {
        for (int round = 0; round < 2; round++) {
            void *block = api.mallocx(edge_sizes[i], ZERO | ALIGN_TO(64));
            assert_non_null(block);
            assert_aligned(block, 64);
            assert_true(is_filled_with(block, edge_sizes[i], 0));
            memset(block, 0xee, api.sallocx(block, 0));
            api.dallocx(block, 0);
        }
    }
}

static void flags_for_thread_caches_are_taken(void **state)
{
    (void)state;
    for (size_t size = 1; size <= MIB; size *= 3) {
        void *block = api.mallocx(size, NO_THREAD_CACHE);
        assert_non_null(block);
        pattern_fill(block, size, 1);
        block = api.rallocx(block, size * 2, NO_THREAD_CACHE);
        assert_non_null(block);
        assert_all_pattern(block, size, 1);
        api.dallocx(block, NO_THREAD_CACHE);
    }
}

static void rallocx_keeps_the_bytes(void **state)
{
    (void)state;
    for (size_t from = 1; from < edge_sizes_count; from += 2) {
        for (size_t to = 1; to < edge_sizes_count; to++) {
            if (edge_sizes[from] + edge_sizes[to] > 4 * MIB && (from + to) % 16 != 0) continue;
            size_t kept = edge_sizes[from] < edge_sizes[to] ? edge_sizes[from] : edge_sizes[to];
            int flags = to % 3 == 0 ? ALIGN_TO(4096) : 0;
            void *block = api.mallocx(edge_sizes[from], 0);
            assert_non_null(block);
            pattern_fill(block, edge_sizes[from], from);
            block = api.rallocx(block, edge_sizes[to], flags);
            assert_non_null(block);
            assert_aligned(block, flags ? 4096 : 8);
            assert_all_pattern(block, kept, from);
            memset(block, 1, api.sallocx(block, flags));
            api.sdallocx(block, edge_sizes[to], flags);
        }
    }
}

static void rallocx_zero_clears_what_it_adds(void **state)
{
    (void)state;
    for (size_t from = 1; from <= 4 * MIB; from = from * 4 + 3) {
        for (size_t to = from; to <= 4 * MIB; to = to * 3 + 1) {
            void *dirty = api.mallocx(to, 0);
            assert_non_null(dirty);
            memset(dirty, 0xee, api.sallocx(dirty, 0));
            unsigned char *block = api.mallocx(from, ZERO);
            assert_non_null(block);
            // The real size is the boundary between what is kept and what is cleared.
            size_t real = api.sallocx(block, 0);
            memset(block, 0xdd, real);
            api.dallocx(dirty, 0);
            block = api.rallocx(block, to, ZERO);
            assert_non_null(block);
            size_t kept = real < to ? real : to;
            assert_true(is_filled_with(block, kept, 0xdd));
            assert_true(is_filled_with(block + kept, to - kept, 0));
            api.dallocx(block, 0);
        }
    }
}

static void xallocx_resizes_in_place_or_leaves_the_block(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 8 * MIB; size = size * 3 + 1) {
        void *block = api.mallocx(size, 0);
        assert_non_null(block);
        pattern_fill(block, size, size);
        size_t real = api.sallocx(block, 0);
        // To stay as it is always works.
        assert_int_equal(api.xallocx(block, size, 0, 0), real);
        size_t grown = api.xallocx(block, size * 2, size, 0);
        assert_true(grown >= size);
        assert_true(api.sallocx(block, 0) >= grown); // exactly: see test_stricter.c
        assert_all_pattern(block, size, size);
        size_t shrunk = api.xallocx(block, size / 2 + 1, 0, 0);
        assert_true(shrunk >= size / 2 + 1);
        assert_int_equal(shrunk, api.sallocx(block, 0));
        assert_all_pattern(block, size / 2 + 1, size);
        // So much extra that size + extra is just no overflow.
        size_t most = api.xallocx(block, size, SIZE_MAX - size, 0);
        assert_true(most >= size / 2 + 1);
        assert_true(api.sallocx(block, 0) >= most);
        assert_all_pattern(block, size / 2 + 1, size);
        memset(block, 1, most);
        api.dallocx(block, 0);
    }
}

static void xallocx_zero_clears_what_it_adds(void **state)
{
    (void)state;
    for (size_t size = 16; size <= 8 * MIB; size *= 2) {
        unsigned char *block = api.mallocx(size, 0);
        assert_non_null(block);
        size_t real = api.sallocx(block, 0);
        memset(block, 0xdd, real);
        size_t grown = api.xallocx(block, size * 2, size * 2, ZERO);
        assert_true(grown >= real);
        assert_true(is_filled_with(block, real, 0xdd));
        assert_true(is_filled_with(block + real, grown - real, 0));
        api.dallocx(block, 0);
    }
}

static void the_impossible_is_refused(void **state)
{
    (void)state;
    void *block = api.mallocx(1000, 0);
    assert_non_null(block);
    pattern_fill(block, 1000, 2);
    for (size_t i = 0; i < impossible_sizes_count; i++) {
        size_t size = size_hidden(impossible_sizes[i]);
        assert_null(api.mallocx(size, 0));
        assert_null(api.mallocx(size, ZERO | ALIGN_TO(4096)));
        assert_null(api.rallocx(block, size, 0));
        assert_true(api.xallocx(block, size, 0, 0) < 8 * KIB);
        assert_all_pattern(block, 1000, 2);
    }
    assert_int_equal(api.nallocx(size_hidden(SIZE_MAX), 0), 0);
    assert_int_equal(api.nallocx(size_hidden(SIZE_MAX / 2 + 2), 0), 0);
    assert_int_equal(api.nallocx(size_hidden(PTRDIFF_MAX), ALIGN_LOG2(25)), 0);
    api.dallocx(block, 0);
}

static void blocks_of_both_interfaces_are_the_same_kind(void **state)
{
    (void)state;
    for (size_t i = 1; i < edge_sizes_count; i++) {
        void *block = pointer_hidden(malloc(edge_sizes[i]));
        assert_non_null(block);
        assert_int_equal(api.sallocx(block, 0), malloc_usable_size(block));
        pattern_fill(block, edge_sizes[i], i);
        block = api.rallocx(block, edge_sizes[i] * 2, 0);
        assert_non_null(block);
        assert_all_pattern(block, edge_sizes[i], i);
        block = pointer_hidden(realloc(block, edge_sizes[i]));
        assert_non_null(block);
        assert_all_pattern(block, edge_sizes[i], i);
        api.sdallocx(block, edge_sizes[i], 0);
        block = api.mallocx(edge_sizes[i], 0);
        assert_non_null(block);
        free(pointer_hidden(block));
    }
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(mallocx_serves_every_size_and_nallocx_foretells_it),
        cmocka_unit_test(mallocx_aligns),
        cmocka_unit_test(mallocx_zero_clears_after_dirty_use),
        cmocka_unit_test(flags_for_thread_caches_are_taken),
        cmocka_unit_test(rallocx_keeps_the_bytes),
        cmocka_unit_test(rallocx_zero_clears_what_it_adds),
        cmocka_unit_test(xallocx_resizes_in_place_or_leaves_the_block),
        cmocka_unit_test(xallocx_zero_clears_what_it_adds),
        cmocka_unit_test(the_impossible_is_refused),
        cmocka_unit_test(blocks_of_both_interfaces_are_the_same_kind),
    };
    return cmocka_run_group_tests(cases, symbols_find, NULL);
}
