// Protects: a tool outside sees the heap of another process as that process does, from the exported
// root alone; and nothing it reads there is trusted: a heap of another version, in ruins, or gone,
// is an answer and not a crash.
#include "heap_test.h"

#include "heap/note.h"
#include "heap/observer.h"
#include "heap/span_map.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static const uintptr_t root = (uintptr_t)&mete_heap_root;

enum { BLOCKS = 600 };

// What the child tells of itself, in memory that both see.
struct report {
    uintptr_t blocks[BLOCKS];
    size_t sizes[BLOCKS];
    bool is_live[BLOCKS];
};

static void *site_by_size(struct span *span, void *block, size_t size)
{
    note_block(span, block, size, (uint32_t)size % NOTE_SITE_COUNT);
    return block;
}

static void *site_by_new_size(struct span *span, void *block, size_t old_size, size_t size)
{
    (void)old_size;
    return site_by_size(span, block, size);
}

static void mind_no_free(void *block, uint32_t site, size_t size, size_t block_size)
{
    (void)block;
    (void)site;
    (void)size;
    (void)block_size;
}

static const struct heap_observer sites = {
    .allocated = site_by_size,
    .freeing = mind_no_free,
    .resized = site_by_new_size,
    .kept = mind_no_free,
};

// In the child: blocks of all kinds, noted, every fourth freed.
static void fill_heap(struct report *report)
{
    unsigned seed = 17;
    set_direct_size(MIB);
    heap_observe(&sites);
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t bound = i % 100 == 0 ? 80 * MIB : i % 10 == 0 ? 2 * MIB : 9000;
        size_t size = 1 + (size_t)rand_r(&seed) % bound;
        report->blocks[i] = (uintptr_t)(i % 7 ? heap_alloc(size) : heap_alloc_aligned(size, 4096));
        report->sizes[i] = size;
        report->is_live[i] = i % 4 != 0;
    }
    for (size_t i = 0; i < BLOCKS; i += 4) heap_free((void *)report->blocks[i]);
}

struct child {
    pid_t pid;
    struct report *report;
};

static struct child child_start(void)
{
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    struct child child = {
        .report = mmap(NULL, sizeof(struct report), PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0),
    };
    child.pid = fork();
    assert_true(child.pid >= 0);
    if (child.pid == 0) {
        fill_heap(child.report);
        (void)!write(ready[1], "", 1);
        for (;;) pause();
    }
    char byte;
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return child;
}

static void child_end(struct child *child)
{
    kill(child->pid, SIGKILL);
    assert_int_equal(waitpid(child->pid, NULL, 0), child->pid);
    munmap(child->report, sizeof *child->report);
}

static void a_parent_resolves_its_childs_blocks_with_their_notes(void **state)
{
    (void)state;
    struct child child = child_start();
    struct memory_reader reader = memory_reader_process(child.pid);
    for (size_t i = 0; i < BLOCKS; i++) {
        struct heap_block found;
        uintptr_t block = child.report->blocks[i];
        size_t size = child.report->sizes[i];
        const size_t offsets[] = {0, size / 2, size - 1};
        for (size_t j = 0; j < 3; j++) {
            bool is_found = heap_resolve(&reader, root, block + offsets[j], &found);
            if (!child.report->is_live[i]) {
                assert_false(is_found && found.start == block && found.state == HEAP_BLOCK_LIVE);
                continue;
            }
            assert_true(is_found);
            assert_int_equal(found.start, block);
            assert_int_equal(found.state, HEAP_BLOCK_LIVE);
            assert_int_equal(found.size, size);
            assert_int_equal(found.site, size % NOTE_SITE_COUNT);
        }
        assert_false(resolve_own(block, &found)); // it is not ours
    }
    child_end(&child);
}

struct tally {
    const struct report *report;
    size_t count;
    size_t bytes;
};

static bool tally_block(void *context, const struct heap_block *block)
{
    struct tally *tally = context;
    tally->count++;
    tally->bytes += block->size;
    return true;
}

// Also that it ends: a root has 2^18 slots, a leaf 2^17.
static void a_parent_walks_its_childs_heap(void **state)
{
    (void)state;
    struct child child = child_start();
    struct memory_reader reader = memory_reader_process(child.pid);
    struct tally tally = {.report = child.report};
    assert_int_equal(heap_walk(&reader, root, tally_block, &tally), 0);
    size_t count = 0;
    size_t bytes = 0;
    for (size_t i = 0; i < BLOCKS; i++) {
        count += child.report->is_live[i];
        bytes += child.report->is_live[i] ? child.report->sizes[i] : 0;
    }
    assert_int_equal(tally.count, count);
    assert_int_equal(tally.bytes, bytes);
    child_end(&child);
}

static void a_process_that_is_gone_is_an_error(void **state)
{
    (void)state;
    struct child child = child_start();
    struct memory_reader reader = memory_reader_process(child.pid);
    uintptr_t block = child.report->blocks[1];
    child_end(&child);
    struct tally tally = {0};
    struct heap_block found;
    assert_int_equal(heap_walk(&reader, root, tally_block, &tally), -ESRCH);
    assert_false(heap_resolve(&reader, root, block, &found));
}

// --- what cannot be trusted
// ------------------------------------------------------------------------

static void expect_refused(struct heap_root wrong, int error)
{
    struct memory_reader reader = memory_reader_process(getpid());
    struct tally tally = {0};
    struct heap_block found;
    void *block = heap_alloc(100);
    uintptr_t address = (uintptr_t)&wrong;
    assert_false(heap_resolve(&reader, address, (uintptr_t)block, &found));
    assert_int_equal(heap_walk(&reader, address, tally_block, &tally), error);
    assert_int_equal(tally.count, 0);
    heap_free(block);
}

static void a_root_of_another_layout_is_refused(void **state)
{
    (void)state;
    assert_int_equal(mete_heap_root.magic, HEAP_ROOT_MAGIC);
    assert_memory_equal(&mete_heap_root, "mete", 4);
    assert_int_equal(mete_heap_root.layout_version, HEAP_LAYOUT_VERSION);
    struct heap_root wrong = mete_heap_root;
    wrong.magic++;
    expect_refused(wrong, -EPROTO);
    wrong = mete_heap_root;
    wrong.layout_version++;
    expect_refused(wrong, -EPROTO);
    wrong = mete_heap_root;
    wrong.span_struct_size--;
    expect_refused(wrong, -EPROTO);
    wrong = mete_heap_root;
    wrong.class_count++;
    expect_refused(wrong, -EPROTO);
}

static void a_root_or_a_map_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    struct memory_reader reader = memory_reader_process(getpid());
    struct tally tally = {0};
    struct heap_block found;
    assert_int_equal(heap_walk(&reader, 16, tally_block, &tally), -EFAULT);
    assert_false(heap_resolve(&reader, 16, (uintptr_t)&tally, &found));
    struct heap_root wrong = mete_heap_root;
    wrong.map = 4096;
    expect_refused(wrong, -EFAULT);
}

// Noise with some fields that make it likely enough to be believed.
static void put_likely_span(unsigned char *place, uintptr_t base, unsigned *seed)
{
    struct span span;
    memcpy(&span, place, sizeof span);
    span.base = base;
    span.size = (size_t)(1 + rand_r(seed) % 20) << PAGE_SHIFT;
    span.page_count = span.size >> PAGE_SHIFT;
    span_set_state(&span, (enum span_state)(rand_r(seed) % 10));
    span.block_size = (uint32_t)rand_r(seed) % 100 * 16;
    span.capacity = (uint32_t)rand_r(seed) % 100;
    memcpy(place, &span, sizeof span);
}

// A map, leaves and spans made of noise: whatever comes out of them is no crash, and not endless.
static void a_heap_in_ruins_is_survived(void **state)
{
    (void)state;
    enum { LEAF_SIZE = SPAN_MAP_LEAF_SLOTS * 8, NOISE_SIZE = 64 * 1024 };
    unsigned seed = 606;
    print_message("# seed %u\n", seed);
    uintptr_t *map = calloc(SPAN_MAP_ROOT_SLOTS, sizeof *map);
    uintptr_t *leaf = calloc(1, LEAF_SIZE);
    unsigned char *noise = malloc(NOISE_SIZE + sizeof(struct span));
    struct memory_reader reader = memory_reader_process(getpid());
    struct heap_root ruin = mete_heap_root;
    ruin.map = (uintptr_t)map;
    map[5] = (uintptr_t)leaf;
    map[6] = 8; // a leaf that is not there
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < NOISE_SIZE; i++) noise[i] = (unsigned char)rand_r(&seed);
        memset(leaf, 0, LEAF_SIZE);
        for (size_t i = 0; i < 2000; i++) {
            unsigned char *place = noise + (size_t)rand_r(&seed) % NOISE_SIZE / 8 * 8;
            size_t slot = (size_t)rand_r(&seed) % SPAN_MAP_LEAF_SLOTS;
            leaf[slot] = i % 10 ? (uintptr_t)place : (uintptr_t)rand_r(&seed);
            uintptr_t address = ((uintptr_t)5 << SPAN_MAP_LEAF_SHIFT) + (slot << PAGE_SHIFT);
            if (i % 10 == 1) put_likely_span(place, address, &seed);
            struct heap_block found;
            if (heap_resolve(&reader, (uintptr_t)&ruin, address + 100, &found)) {
                assert_true(address + 100 - found.start < found.block_size);
            }
        }
        struct tally tally = {0};
        (void)heap_walk(&reader, (uintptr_t)&ruin, tally_block, &tally);
    }
    free(map);
    free(leaf);
    free(noise);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_parent_resolves_its_childs_blocks_with_their_notes),
        cmocka_unit_test(a_parent_walks_its_childs_heap),
        cmocka_unit_test(a_process_that_is_gone_is_an_error),
        cmocka_unit_test(a_root_of_another_layout_is_refused),
        cmocka_unit_test(a_root_or_a_map_that_is_not_there_is_an_error),
        cmocka_unit_test(a_heap_in_ruins_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
