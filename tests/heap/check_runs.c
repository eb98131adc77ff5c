#include "heap_check.h"

#include "heap/run_bins.h"

// The page heap keeps its bins to itself; but a ring's one node that is no run is its bin's head.

static struct span *run_of_link(const struct list *node)
{
    return LIST_ENTRY(node, struct span, link);
}

static struct span *run_of_age(const struct list *node)
{
    return LIST_ENTRY(node, struct span, age);
}

// As the header says: a bin per page count to 64, then eight per doubling, the last for the rest.
static size_t bin_of(size_t page_count)
{
    if (page_count <= RUN_BIN_EXACT_MAX) return page_count;
    size_t start = RUN_BIN_EXACT_MAX;
    size_t bin = RUN_BIN_EXACT_MAX + 1;
    while (page_count >= 2 * start) {
        start *= 2;
        bin += 8;
    }
    bin += (page_count - start) / (start / 8);
    return bin < RUN_BIN_COUNT ? bin : RUN_BIN_COUNT - 1;
}

// The bins that hold the runs of one kind; NULL when there are none.
static const struct run_bins *find_bins(const struct span_set *runs, bool is_dirty)
{
    const struct list *bins = NULL;
    for (size_t i = 0; i < runs->count; i++) {
        const struct span *run = runs->spans[i];
        if (run->is_dirty != is_dirty) continue;
        HOLDS(run->link.next->previous == &run->link, run);
        HOLDS(run->link.previous->next == &run->link, run);
        const struct list *before = run->link.previous;
        if (span_set_find(runs, run_of_link(before)) != SIZE_MAX) continue;
        const struct list *start = before - bin_of(run->page_count);
        HOLDS(!bins || bins == start, run);
        bins = start;
    }
    return (const struct run_bins *)(const void *)bins;
}

// Every run of the kind hangs in the bin of its size; bits and sum agree.
static void check_kind(const struct span_set *runs, bool is_dirty, size_t bytes)
{
    size_t expected = 0;
    for (size_t i = 0; i < runs->count; i++) expected += runs->spans[i]->is_dirty == is_dirty;
    const struct run_bins *bins = find_bins(runs, is_dirty);
    HOLDS((bins != NULL) == (expected != 0), NULL);
    if (!bins) return;
    size_t count = 0;
    for (size_t i = 0; i < RUN_BIN_COUNT; i++) {
        const struct list *head = &bins->runs[i];
        bool has_bit = bins->nonempty[i / 64] >> i % 64 & 1;
        HOLDS(has_bit == !list_is_empty(head), NULL);
        for (const struct list *node = head->next; node != head; node = node->next) {
            const struct span *run = run_of_link(node);
            HOLDS(span_set_find(runs, run) != SIZE_MAX, NULL);
            HOLDS(run->is_dirty == is_dirty, run);
            HOLDS(bin_of(run->page_count) == i, run);
            HOLDS(++count <= expected, run);
        }
    }
    HOLDS(count == expected, NULL);
    HOLDS(bins->bytes == bytes, NULL);
}

// Dirty runs, and only those, hang in the one list by age.
static void check_ages(const struct span_set *runs)
{
    size_t dirty = 0;
    const struct list *any = NULL;
    for (size_t i = 0; i < runs->count; i++) {
        const struct span *run = runs->spans[i];
        HOLDS(run->age.next->previous == &run->age, run);
        HOLDS(run->is_dirty || list_is_empty(&run->age), run);
        if (!run->is_dirty) continue;
        dirty++;
        any = &run->age;
    }
    if (!any) return;
    size_t heads = 0;
    size_t count = 1;
    for (const struct list *node = any->next; node != any; node = node->next, count++) {
        if (span_set_find(runs, run_of_age(node)) == SIZE_MAX) heads++;
        HOLDS(count <= dirty, NULL);
    }
    HOLDS(heads == 1, NULL);
    HOLDS(count == dirty + 1, NULL);
}

void check_runs(const struct span_set *runs, const struct heap_census *census)
{
    check_kind(runs, true, census->dirty_bytes);
    check_kind(runs, false, census->clean_bytes);
    check_ages(runs);
    struct page_heap_figures figures = page_heap_figures();
    size_t dirty = census->dirty_bytes + census->kept_bytes;
    HOLDS(figures.dirty_bytes == dirty, NULL); // so nothing is resting
    HOLDS(figures.clean_bytes == census->clean_bytes, NULL);
    HOLDS(figures.mapped_bytes == census->in_use_bytes + dirty + census->clean_bytes, NULL);
    HOLDS(figures.peak_bytes >= figures.mapped_bytes, NULL);
}
