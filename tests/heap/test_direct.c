// Protects: blocks with a mapping of their own are found from every address, keep their bytes when
// they are remapped, and leave nothing behind.
#include "heap_test.h"

#include "heap/direct.h"
#include "heap/metadata.h"
#include "heap/span_map.h"

#include <string.h>
#include <sys/mman.h>

static bool is_mapped(uintptr_t address)
{
    unsigned char resident;
    return mincore((void *)address, PAGE_SIZE, &resident) == 0;
}

// A direct block, live as heap_check() wants it.
static struct span *take(size_t page_count, size_t align)
{
    struct span *span = direct_take(page_count, align);
    assert_non_null(span);
    span->announced = 1;
    assert_int_equal(span_state(span), SPAN_DIRECT);
    assert_true(span->page_count >= page_count);
    assert_int_equal(span->base % align, 0);
    assert_ptr_equal(span_map_find(span->base), span);
    assert_ptr_equal(span_map_find(span->base + span->size - 1), span);
    return span;
}

// The thread sanitizer's own thread maps memory when it likes, also where ours has just gone.
#define OTHERS_MAP_BESIDE_US false
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#undef OTHERS_MAP_BESIDE_US
#define OTHERS_MAP_BESIDE_US true
#endif
#endif

static void it_is_mapped_alone_and_unmapped_when_given_back(void **state)
{
    (void)state;
    struct span *span = take(10, PAGE_SIZE);
    uintptr_t base = span->base;
    memset((void *)base, 1, span->size);
    assert_int_equal(direct_figures().count, 1);
    assert_int_equal(direct_figures().bytes, 10 * PAGE_SIZE);
    assert_int_equal(heap_check().direct_spans, 1);
    direct_give(span);
    if (!OTHERS_MAP_BESIDE_US) assert_false(is_mapped(base));
    assert_null(span_map_find(base));
    assert_int_equal(direct_figures().count, 0);
    assert_int_equal(direct_figures().bytes, 0);
    assert_true(page_heap_figures().peak_bytes >= 10 * PAGE_SIZE);
    (void)heap_check();
}

static void it_starts_at_any_multiple_of_a_power_of_two(void **state)
{
    (void)state;
    for (size_t align = PAGE_SIZE; align <= (size_t)1 << 28; align *= 4) {
        struct span *span = take(3, align);
        (void)heap_check();
        direct_give(span);
    }
}

static void shrinking_keeps_the_start_and_unmaps_the_end(void **state)
{
    (void)state;
    struct span *span = take(100, PAGE_SIZE);
    uintptr_t base = span->base;
    memset((void *)base, 0xaa, 100 * PAGE_SIZE);
    assert_true(direct_resize(span, 30, false));
    assert_int_equal(span->base, base);
    assert_int_equal(span->size, 30 * PAGE_SIZE);
    if (!OTHERS_MAP_BESIDE_US) assert_false(is_mapped(base + 30 * PAGE_SIZE));
    assert_null(span_map_find(base + 30 * PAGE_SIZE));
    assert_int_equal(((unsigned char *)base)[30 * PAGE_SIZE - 1], 0xaa);
    assert_int_equal(direct_figures().bytes, 30 * PAGE_SIZE);
    (void)heap_check();
    direct_give(span);
}

static void it_grows_in_place_where_the_addresses_behind_are_free(void **state)
{
    (void)state;
    struct span *span = take(100, PAGE_SIZE);
    uintptr_t base = span->base;
    assert_true(direct_resize(span, 30, false)); // leaves a hole behind
    memset((void *)base, 0xaa, 30 * PAGE_SIZE);
    assert_true(direct_resize(span, 60, false));
    assert_int_equal(span->base, base);
    assert_int_equal(((unsigned char *)base)[30 * PAGE_SIZE - 1], 0xaa);
    assert_int_equal(((unsigned char *)base)[30 * PAGE_SIZE], 0);
    assert_ptr_equal(span_map_find(base + 60 * PAGE_SIZE - 1), span);
    (void)heap_check();
    direct_give(span);
}

static void it_moves_where_it_may_and_takes_its_bytes_along(void **state)
{
    (void)state;
    struct span *span = take(10, PAGE_SIZE);
    uintptr_t base = span->base;
    memset((void *)base, 0xaa, 10 * PAGE_SIZE);
    // Something of another kind behind it, so that it cannot grow there.
    void *wall = mmap((void *)(base + 10 * PAGE_SIZE), PAGE_SIZE, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    assert_false(direct_resize(span, 20000, false));
    assert_int_equal(span->base, base);
    assert_int_equal(span->size, 10 * PAGE_SIZE);
    (void)heap_check();
    assert_true(direct_resize(span, 20000, true));
    assert_int_not_equal(span->base, base);
    if (!OTHERS_MAP_BESIDE_US) assert_false(is_mapped(base));
    assert_null(span_map_find(base));
    assert_ptr_equal(span_map_find(span->base + 77 * MIB), span);
    const unsigned char *bytes = (unsigned char *)span->base;
    for (size_t i = 0; i < 10 * PAGE_SIZE; i++) assert_int_equal(bytes[i], 0xaa);
    assert_int_equal(bytes[10 * PAGE_SIZE], 0);
    assert_int_equal(direct_figures().bytes, 20000 * PAGE_SIZE);
    (void)heap_check();
    direct_give(span);
    if (wall != MAP_FAILED) munmap(wall, PAGE_SIZE);
}

static void what_the_kernel_refuses_changes_nothing(void **state)
{
    (void)state;
    assert_null(direct_take((size_t)1 << 40, PAGE_SIZE));
    assert_int_equal(direct_figures().count, 0);
    struct span *span = take(10, PAGE_SIZE);
    uintptr_t base = span->base;
    assert_false(direct_resize(span, (size_t)1 << 40, true));
    assert_int_equal(span->base, base);
    assert_int_equal(span->size, 10 * PAGE_SIZE);
    assert_ptr_equal(span_map_find(base), span);
    (void)heap_check();
    direct_give(span);
}

// A leaf of the span map for each half gigabyte that was asked for would stay for good.
static void growth_that_is_refused_costs_nothing(void **state)
{
    (void)state;
    struct span *span = take(10, PAGE_SIZE);
    size_t before = metadata_bytes();
    assert_false(direct_resize(span, (size_t)1 << 33, true)); // 32 TiB: no machine has them
    assert_int_equal(metadata_bytes(), before);
    (void)heap_check();
    direct_give(span);
}

static void the_peak_is_of_one_moment(void **state)
{
    (void)state;
    size_t before = page_heap_figures().peak_bytes;
    assert_int_equal(direct_figures().bytes, 0);
    for (int i = 0; i < 3; i++) {
        struct span *span = take(100000, PAGE_SIZE); // 400 MB of addresses, none touched
        size_t now = page_heap_figures().mapped_bytes + 100000 * PAGE_SIZE;
        assert_int_equal(page_heap_figures().peak_bytes, now > before ? now : before);
        direct_give(span);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_mapped_alone_and_unmapped_when_given_back),
        cmocka_unit_test(it_starts_at_any_multiple_of_a_power_of_two),
        cmocka_unit_test(shrinking_keeps_the_start_and_unmaps_the_end),
        cmocka_unit_test(it_grows_in_place_where_the_addresses_behind_are_free),
        cmocka_unit_test(it_moves_where_it_may_and_takes_its_bytes_along),
        cmocka_unit_test(what_the_kernel_refuses_changes_nothing),
        cmocka_unit_test(growth_that_is_refused_costs_nothing),
        cmocka_unit_test(the_peak_is_of_one_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
