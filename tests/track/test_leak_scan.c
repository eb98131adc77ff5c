// Protects: what a leak scan says of each block, against a model that is slow and plain: what the
// roots lead to is in use, all else is lost, and of what is lost as few blocks are direct as lead
// to all of it. Through every kind of block and pointer, and past the limits of what it keeps in
// mind.
#include "track/leak_test.h"

#include "os/own_pages.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

// --- pointers

static void each_kind_of_pointer_leads_to_its_block(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 16, 100, 1000, 4000, 30000, 40000, 3 << 20, 40 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *block = block_of(sizes[i]);
        const uintptr_t address = (uintptr_t)block;
        const struct {
            uintptr_t word;
            enum record_leak_kind kind;
        } words[] = {
            {address, RECORD_REACHABLE},
            {address | UINT64_C(0xfff8) << 48, RECORD_REACHABLE}, // with a tag in its upper bits
            {address + sizes[i] - 1, sizes[i] == 1 ? RECORD_REACHABLE : RECORD_INTERIOR},
            {address + sizes[i] / 2, sizes[i] == 1 ? RECORD_REACHABLE : RECORD_INTERIOR},
            {~address, RECORD_LOST_DIRECT},
            {address - 1, RECORD_LOST_DIRECT},
            {address + heap_block_size(block), RECORD_LOST_DIRECT},
            {0, RECORD_LOST_DIRECT},
            {UINTPTR_MAX, RECORD_LOST_DIRECT},
        };
        for (size_t j = 0; j < sizeof words / sizeof *words; j++) {
            begin();
            leak_scan_word(&scan, words[j].word);
            finish();
            expect_kind(block, words[j].kind);
            leak_scan_end(&scan);
        }
        heap_free(block);
    }
}

static void a_freed_block_leads_nowhere(void **state)
{
    (void)state;
    void **first = block_of(64);
    void *second = block_of(64);
    first[1] = second;
    heap_free(first);
    begin();
    leak_scan_word(&scan, (uintptr_t)first);
    finish();
    expect_kind(second, RECORD_LOST_DIRECT);
    leak_scan_end(&scan);
    heap_free(second);
}

static void memory_of_the_programs_is_a_root(void **state)
{
    (void)state;
    enum { PAGES = 500 };
    uintptr_t *memory =
        mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *blocks[3] = {block_of(10), block_of(20), block_of(30)};
    const uintptr_t start = (uintptr_t)memory;
    const uintptr_t end = start + PAGES * 4096;
    memory[0] = (uintptr_t)blocks[0];
    memory[PAGES * 512 - 1] = (uintptr_t)blocks[1];
    memory[300 * 512] = (uintptr_t)blocks[2];
    assert_int_equal(mprotect(memory + 300 * 512, 4096, PROT_NONE), 0);
    assert_int_equal(munmap(memory + 299 * 512, 4096), 0); // a hole is no root
    begin();
    leak_scan_memory(&scan, start, end, false);
    finish();
    for (size_t i = 0; i < 3; i++) expect_kind(blocks[i], RECORD_REACHABLE);
    leak_scan_end(&scan);
    // Without its first word, from an odd address on.
    begin();
    leak_scan_memory(&scan, start + 1, end - 8, false);
    finish();
    expect_kind(blocks[0], RECORD_LOST_DIRECT);
    expect_kind(blocks[1], RECORD_LOST_DIRECT);
    expect_kind(blocks[2], RECORD_REACHABLE);
    leak_scan_end(&scan);
    for (size_t i = 0; i < 3; i++) heap_free(blocks[i]);
    munmap(memory, PAGES * 4096);
}

static void a_closed_block_is_in_use_and_leads_nowhere(void **state)
{
    (void)state;
    void **first = block_of(64);
    void *second = block_of(64);
    first[2] = second;
    begin();
    assert_int_equal(leak_scan_closed(&scan, (uintptr_t)first + 8), (uintptr_t)first);
    assert_int_equal(leak_scan_closed(&scan, 1234), 0);
    finish();
    expect_kind(first, RECORD_REACHABLE);
    expect_kind(second, RECORD_LOST_DIRECT);
    leak_scan_end(&scan);
    heap_free(first);
    heap_free(second);
}

static void a_block_with_a_hole_is_read_with_care(void **state)
{
    (void)state;
    char *block = heap_alloc_aligned(4 * 4096, 4096);
    memset(block, 0, 4 * 4096);
    void *held = block_of(50);
    void *hidden = block_of(60);
    *(void **)(block + 3 * 4096) = held;
    *(void **)(block + 4096) = hidden; // what cannot be read counts, too
    assert_int_equal(mprotect(block + 4096, 4096, PROT_NONE), 0);
    begin();
    leak_scan_hole(&scan, (uintptr_t)block + 4096, (uintptr_t)block + 2 * 4096);
    leak_scan_word(&scan, (uintptr_t)block);
    finish();
    expect_kind(held, RECORD_REACHABLE);
    expect_kind(hidden, RECORD_REACHABLE);
    leak_scan_end(&scan);
    // More holes than are kept in mind: everything is read with care.
    begin();
    for (int i = 0; i < LEAK_HOLES_MAX + 1; i++) leak_scan_hole(&scan, 4096, 8192);
    leak_scan_word(&scan, (uintptr_t)block);
    finish();
    expect_kind(held, RECORD_REACHABLE);
    leak_scan_end(&scan);
    assert_int_equal(mprotect(block + 4096, 4096, PROT_READ | PROT_WRITE), 0);
    heap_free(block);
    heap_free(held);
    heap_free(hidden);
}

// --- shapes

static void a_long_list_has_one_head(void **state)
{
    (void)state;
    enum { LENGTH = 300000 };
    void **head = NULL;
    for (int i = 0; i < LENGTH; i++) {
        void **node = block_of(24);
        node[0] = head;
        head = node;
    }
    for (int is_held = 0; is_held < 2; is_held++) {
        begin();
        if (is_held) leak_scan_word(&scan, (uintptr_t)head);
        finish();
        expect_kind(head, is_held ? RECORD_REACHABLE : RECORD_LOST_DIRECT);
        for (void **node = *head; node; node = *node) {
            expect_kind(node, is_held ? RECORD_REACHABLE : RECORD_LOST_INDIRECT);
        }
        leak_scan_end(&scan);
    }
    while (head) {
        void **next = *head;
        heap_free(head);
        head = next;
    }
}

// More at once than there is room to remember.
static void a_block_that_leads_to_very_many_is_no_trouble(void **state)
{
    (void)state;
    enum { COUNT = 3 * LEAK_STACK_MAX };
    void **all = block_of(COUNT * sizeof *all);
    for (size_t i = 0; i < COUNT; i++) {
        void **inner = block_of(32);
        inner[1] = block_of(16);
        all[i] = inner;
    }
    for (int is_held = 0; is_held < 2; is_held++) {
        begin();
        if (is_held) leak_scan_word(&scan, (uintptr_t)all);
        finish();
        expect_kind(all, is_held ? RECORD_REACHABLE : RECORD_LOST_DIRECT);
        const enum record_leak_kind kind = is_held ? RECORD_REACHABLE : RECORD_LOST_INDIRECT;
        for (size_t i = 0; i < COUNT; i++) {
            expect_kind(all[i], kind);
            expect_kind(((void **)all[i])[1], kind);
        }
        leak_scan_end(&scan);
    }
    for (size_t i = 0; i < COUNT; i++) {
        heap_free(((void **)all[i])[1]);
        heap_free(all[i]);
    }
    heap_free(all);
}

// --- how much it costs

// How often all marks were searched for what did not fit on the stack.
static size_t searches_for(const void *root, size_t room)
{
    begin();
    scan.room = room;
    leak_scan_word(&scan, (uintptr_t)root);
    leak_scan_reach(&scan);
    const size_t searches = scan.searches;
    leak_scan_end(&scan);
    return searches;
}

enum { LISTS = 20000, LIST_LENGTH = 30, ROOM = 1000 };

// One block leads to lists, whose blocks lie in the heap as the order says: block `at` of list
// `list` is the order(list, at)-th of all.
static size_t searches_for_lists(size_t lists, size_t length,
                                 size_t (*order)(size_t list, size_t at))
{
    const size_t count = lists * length;
    void **heads = block_of(lists * sizeof *heads);
    void ***all = malloc(count * sizeof *all); // libc's
    assert_non_null(all);
    for (size_t i = 0; i < count; i++) all[i] = block_of(48);
    for (size_t list = 0; list < lists; list++) {
        heads[list] = all[order(list, 0)];
        for (size_t at = 0; at + 1 < length; at++) {
            all[order(list, at)][0] = all[order(list, at + 1)];
        }
    }
    const size_t searches = searches_for(heads, ROOM);
    for (size_t i = 0; i < count; i++) heap_free(all[i]);
    free(all);
    heap_free(heads);
    return searches;
}

static size_t list_by_list(size_t list, size_t at)
{
    return list * LIST_LENGTH + at;
}

static size_t rank_by_rank(size_t list, size_t at)
{
    return at * LISTS + list;
}

static size_t against_the_addresses(size_t list, size_t at)
{
    return (LIST_LENGTH - 1 - at) * LISTS + list;
}

static void a_stack_that_is_too_small_costs_few_searches(void **state)
{
    (void)state;
    // Each search finds a block of each list at least.
    assert_true(searches_for_lists(LISTS, LIST_LENGTH, list_by_list) <= LIST_LENGTH + 1);
    assert_true(searches_for_lists(LISTS, LIST_LENGTH, against_the_addresses) <= LIST_LENGTH + 1);
    // What it leads to behind it, it finds as well.
    assert_true(searches_for_lists(LISTS, LIST_LENGTH, rank_by_rank) <= LIST_LENGTH / 2);
}

static size_t backwards(size_t list, size_t at)
{
    enum { LENGTH = LISTS / 100 };
    return list * LENGTH + LENGTH - 1 - at;
}

// A search is worth its way only where it finds much: a list that runs against the addresses would
// cost one for each of its blocks.
static void few_blocks_are_not_searched_for(void **state)
{
    (void)state;
    const size_t searches = searches_for_lists(ROOM + ROOM / 10, LISTS / 100, backwards);
    assert_true(searches <= 4);
}

// --- random graphs

enum { NODES_MAX = 120, EDGES = 4 };

struct graph {
    size_t count;
    void **blocks[NODES_MAX];
    bool is_tracked[NODES_MAX]; // in the arena, and no block of the heap
    bool edges[NODES_MAX][NODES_MAX];
    bool inner[NODES_MAX][NODES_MAX]; // by a pointer into it
    bool roots[NODES_MAX];
    bool closure[NODES_MAX][NODES_MAX]; // from each to all that it leads to, itself included
};

static struct graph graph;

static void graph_make(void)
{
    memset(&graph, 0, sizeof graph);
    graph.count = 1 + random_number() % NODES_MAX;
    for (size_t i = 0; i < graph.count; i++) {
        const size_t size = EDGES * 8 + random_number() % 3000;
        graph.is_tracked[i] = random_number() % 3 == 0;
        if (graph.is_tracked[i]) {
            graph.blocks[i] = (void **)(void *)(arena + i * 4096 + random_number() % 100 * 8);
            track_range(graph.blocks[i], size);
            continue;
        }
        graph.blocks[i] = block_of(random_number() % 20 == 0 ? size * 100 : size);
    }
    for (size_t i = 0; i < graph.count; i++) {
        graph.roots[i] = random_number() % 12 == 0;
        const size_t edges = random_number() % (EDGES + 1);
        for (size_t j = 0; j < edges; j++) {
            const size_t to = random_number() % graph.count;
            const bool is_inner = random_number() % 4 == 0;
            graph.blocks[i][j] = (char *)graph.blocks[to] + (is_inner ? 9 : 0);
            graph.edges[i][to] = true;
            if (is_inner) graph.inner[i][to] = true;
        }
    }
}

static void graph_close(void)
{
    for (size_t i = 0; i < graph.count; i++) {
        for (size_t j = 0; j < graph.count; j++) {
            graph.closure[i][j] = i == j || graph.edges[i][j];
        }
    }
    for (size_t k = 0; k < graph.count; k++) {
        for (size_t i = 0; i < graph.count; i++) {
            if (!graph.closure[i][k]) continue;
            for (size_t j = 0; j < graph.count; j++) {
                graph.closure[i][j] |= graph.closure[k][j];
            }
        }
    }
}

static bool is_held(size_t node)
{
    for (size_t i = 0; i < graph.count; i++) {
        if (graph.roots[i] && graph.closure[i][node]) return true;
    }
    return false;
}

// Whether a lost node leads to this one that this one does not lead to.
static bool has_source(size_t node)
{
    for (size_t i = 0; i < graph.count; i++) {
        if (!is_held(i) && graph.closure[i][node] && !graph.closure[node][i]) return true;
    }
    return false;
}

static enum record_leak_kind kind_of_node(size_t node)
{
    const void *block = graph.blocks[node];
    return graph.is_tracked[node] ? kind_of_tracked(block)
                                  : leak_scan_kind(&scan, (uintptr_t)block);
}

static void graph_check(void)
{
    for (size_t i = 0; i < graph.count; i++) {
        const enum record_leak_kind kind = kind_of_node(i);
        const bool is_lost = kind == RECORD_LOST_DIRECT || kind == RECORD_LOST_INDIRECT;
        assert_int_equal(is_lost, !is_held(i));
        if (!is_lost) continue;
        if (has_source(i)) assert_int_equal(kind, RECORD_LOST_INDIRECT);
        // Of those that lead to each other, and to which no other leads, one is direct.
        size_t direct = 0;
        for (size_t j = 0; j < graph.count; j++) {
            if (!graph.closure[i][j] || !graph.closure[j][i]) continue;
            direct += kind_of_node(j) == RECORD_LOST_DIRECT;
        }
        assert_int_equal(direct, has_source(i) ? 0 : 1);
    }
}

static void random_graphs_are_what_a_plain_model_says(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        graph_make();
        graph_close();
        begin();
        if (i % 2) scan.room = 1 + random_number() % 8; // as in graphs of very many
        scan.only_sweeps = i % 4 == 3;
        for (size_t j = 0; j < graph.count; j++) {
            if (graph.roots[j]) leak_scan_word(&scan, (uintptr_t)graph.blocks[j]);
        }
        finish();
        graph_check();
        leak_scan_end(&scan);
        void *starts[NODES_MAX];
        size_t tracked = 0;
        for (size_t j = 0; j < graph.count; j++) {
            if (graph.is_tracked[j]) starts[tracked++] = graph.blocks[j];
            if (!graph.is_tracked[j]) heap_free(graph.blocks[j]);
        }
        untrack_all(starts, tracked);
    }
}

static void nothing_is_left_of_it(void **state)
{
    (void)state;
    uintptr_t start;
    uintptr_t end;
    size_t before = 0;
    size_t after = 0;
    for (size_t i = 0; i < OWN_PAGES_MAX; i++) before += own_pages_at(i, &start, &end);
    for (int i = 0; i < 5; i++) {
        begin();
        finish();
        leak_scan_end(&scan);
    }
    for (size_t i = 0; i < OWN_PAGES_MAX; i++) after += own_pages_at(i, &start, &end);
    assert_int_equal(before, after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_pointer_leads_to_its_block),
        cmocka_unit_test(a_freed_block_leads_nowhere),
        cmocka_unit_test(memory_of_the_programs_is_a_root),
        cmocka_unit_test(a_closed_block_is_in_use_and_leads_nowhere),
        cmocka_unit_test(a_block_with_a_hole_is_read_with_care),
        cmocka_unit_test(a_long_list_has_one_head),
        cmocka_unit_test(a_block_that_leads_to_very_many_is_no_trouble),
        cmocka_unit_test(a_stack_that_is_too_small_costs_few_searches),
        cmocka_unit_test(few_blocks_are_not_searched_for),
        cmocka_unit_test(random_graphs_are_what_a_plain_model_says),
        cmocka_unit_test(nothing_is_left_of_it),
    };
    leak_test_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
