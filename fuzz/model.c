#include "model.h"

#include "heap/heap.h"
#include "heap/note.h"
#include "heap/observer.h"
#include "heap/resolve.h"
#include "heap/size_class.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// More than this is not alive at a time: the machine is shared.
#define LIVE_BYTES_MAX ((size_t)(MODEL_IS_SANITIZED ? 64 : 512) << 20)

struct slot {
    atomic_flag lock;
    unsigned char *block; // NULL: empty
    size_t size;          // requested
    uint64_t seed;        // of the contents
};

static struct {
    struct slot slots[MODEL_SLOTS];
    _Atomic size_t live_bytes; // requested, about: large blocks are mostly untouched
    _Atomic uint64_t visits;
    _Atomic uint64_t failures;
    _Atomic int64_t noted_blocks; // made and not yet freed during this observation
    bool is_observed;
} model;

_Noreturn void model_fail(const char *what, const void *block, size_t got, size_t wanted)
{
    fprintf(stderr, "model: %s at %p: %#zx, should be %#zx\n", what, block, got, wanted);
    abort();
}

static void expect(const char *what, const void *block, size_t got, size_t wanted)
{
    if (got != wanted) model_fail(what, block, got, wanted);
}

uint64_t model_random(uint64_t *state)
{
    // splitmix64: any seed will do.
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t model_visits(void)
{
    return model.visits;
}

uint64_t model_failures(void)
{
    return model.failures;
}

void model_init(void)
{
    for (size_t i = 0; i < MODEL_SLOTS; i++) atomic_flag_clear(&model.slots[i].lock);
}

// --- contents
// --------------------------------------------------------------------------------------

// Every byte up to here, then some in each page, and the last ones.
enum { WHOLE_SIZE = 16 << 10, PAGE_STRIDE = 4096, PAGE_BYTES = 24 };

// The next position after `at` that has contents, before the last ones.
static size_t next_position(size_t at)
{
    at++;
    if (at < WHOLE_SIZE || at % PAGE_STRIDE < PAGE_BYTES) return at;
    return (at + PAGE_STRIDE - 1) / PAGE_STRIDE * PAGE_STRIDE;
}

static unsigned char byte_at(uint64_t seed, size_t at)
{
    return (unsigned char)((seed >> (at % 8 * 8)) + at / 8 * 37);
}

static void fill(const struct slot *slot)
{
    for (size_t at = 0; at < slot->size; at = next_position(at)) {
        slot->block[at] = byte_at(slot->seed, at);
    }
    size_t tail = slot->size > PAGE_BYTES ? slot->size - PAGE_BYTES : 0;
    for (size_t at = tail; at < slot->size; at++) slot->block[at] = byte_at(slot->seed, at);
}

// The first `size` bytes of what was filled.
static void verify(const struct slot *slot, size_t size)
{
    for (size_t at = 0; at < size; at = next_position(at)) {
        if (slot->block[at] != byte_at(slot->seed, at)) {
            fprintf(stderr, "model: of a block of %#zx bytes, at %#zx\n", slot->size, at);
            model_fail("contents", slot->block + at, slot->block[at], byte_at(slot->seed, at));
        }
    }
}

static void verify_all(const struct slot *slot)
{
    verify(slot, slot->size);
    size_t tail = slot->size > PAGE_BYTES ? slot->size - PAGE_BYTES : 0;
    for (size_t at = tail; at < slot->size; at++) {
        expect("last bytes", slot->block + at, slot->block[at], byte_at(slot->seed, at));
    }
}

static void verify_zero(const unsigned char *block, size_t size)
{
    // All of it up to 1 MiB, which is more than any purge is precise about; then the pages' starts.
    size_t whole = size < (size_t)1 << 20 ? size : (size_t)1 << 20;
    for (size_t at = 0; at < whole; at++) expect("zeroed byte", block + at, block[at], 0);
    for (size_t at = whole; at < size; at += PAGE_STRIDE) {
        expect("zeroed byte", block + at, block[at], 0);
    }
}

// --- observation
// -----------------------------------------------------------------------------------

// A site that tells block and size, so that the notes themselves prove that they are right.
static uint32_t site_of(const void *block, size_t size)
{
    uint64_t state = (uintptr_t)block ^ size << 47;
    return (uint32_t)(model_random(&state) % (NOTE_SITE_COUNT - 1)) + 1;
}

static void *note_allocated(struct span *span, void *block, size_t size)
{
    size_t block_size = span_block_size(span);
    if (size > block_size) model_fail("block size", block, block_size, size);
    model.noted_blocks++;
    note_block(span, block, size, site_of(block, size));
    return block;
}

static void note_freeing(void *block, uint32_t site, size_t size, size_t block_size)
{
    if (size > block_size) model_fail("noted size", block, size, block_size);
    if (site == 0) return; // from before
    expect("noted site", block, site, site_of(block, size));
    model.noted_blocks--;
}

static void *note_resized(struct span *span, void *block, size_t old_size, size_t size)
{
    if (old_size > PTRDIFF_MAX) model_fail("old size", block, old_size, PTRDIFF_MAX);
    return note_allocated(span, block, size);
}

static void note_kept(void *block, uint32_t site, size_t size, size_t block_size)
{
    if (size > block_size) model_fail("kept size", block, size, block_size);
    expect("kept site", block, site, site_of(block, size));
    model.noted_blocks++;
}

void model_observe(bool begin)
{
    static const struct heap_observer observer = {
        .allocated = note_allocated,
        .freeing = note_freeing,
        .resized = note_resized,
        .kept = note_kept,
    };
    model.noted_blocks = 0;
    model.is_observed = begin;
    heap_observe(begin ? &observer : NULL);
}

// --- one slot
// --------------------------------------------------------------------------------------

static size_t choose_size(struct model_thread *thread)
{
    uint64_t pick = model_random(&thread->random);
    unsigned kind = (unsigned)(pick % 1000);
    pick >>= 10;
    if (kind < 10 * thread->plan->large_percent) {
        if (kind == 0) return pick % ((size_t)160 << 20); // over several strides of the span map
        return pick % ((size_t)1 << (16 + pick % 7));     // to 4 MiB
    }
    if (kind < 40) return SMALL_SIZE_MAX - 64 + pick % 128;
    return pick % ((size_t)1 << (pick >> 40) % 16); // logarithm evenly spread, to 32 KiB
}

static unsigned char *allocate(struct model_thread *thread, size_t size)
{
    uint64_t pick = model_random(&thread->random);
    errno = 77;
    unsigned char *block;
    if (pick % 8 == 0) {
        block = heap_alloc_zeroed(size);
        if (block) verify_zero(block, size);
    } else if (pick % 8 == 1) {
        size_t align = (size_t)1 << (pick >> 8) % 22;
        block = heap_alloc_aligned(size, align);
        expect("alignment", block, (uintptr_t)block % align, 0);
    } else {
        block = heap_alloc(size);
    }
    expect("alignment", block, (uintptr_t)block % GRANULE, 0);
    expect("errno", block, (size_t)errno, block ? 77 : ENOMEM);
    return block;
}

static void count_failure(const struct model_thread *thread, size_t size)
{
    model.failures++;
    if (!thread->plan->may_fail) model_fail("no memory for", NULL, 0, size);
}

static void put(struct model_thread *thread, struct slot *slot)
{
    size_t size = choose_size(thread);
    if (model.live_bytes + size > LIVE_BYTES_MAX) return;
    unsigned char *block = allocate(thread, size);
    if (!block) {
        count_failure(thread, size);
        return;
    }
    slot->block = block;
    slot->size = size;
    slot->seed = model_random(&thread->random);
    model.live_bytes += size;
    fill(slot);
}

static void empty(struct slot *slot)
{
    verify_all(slot);
    errno = 77;
    heap_free(slot->block);
    expect("errno after free", slot->block, (size_t)errno, 77);
    model.live_bytes -= slot->size;
    slot->block = NULL;
}

static void resized(struct model_thread *thread, struct slot *slot, size_t size)
{
    model.live_bytes += size - slot->size;
    slot->size = size;
    slot->seed = model_random(&thread->random);
    fill(slot);
}

static void change_size(struct model_thread *thread, struct slot *slot)
{
    size_t size = choose_size(thread);
    size_t kept = size < slot->size ? size : slot->size;
    if (model.live_bytes + size > LIVE_BYTES_MAX) return;
    verify_all(slot);
    if (model_random(&thread->random) % 4 == 0) {
        size_t block_size = heap_block_size(slot->block);
        bool is_done = heap_resize(slot->block, size);
        if (!is_done && size <= block_size) model_fail("refused to shrink", slot->block, 0, size);
        if (!is_done) return;
    } else {
        unsigned char *block = heap_realloc(slot->block, size);
        if (!block) {
            verify_all(slot);
            count_failure(thread, size);
            return;
        }
        slot->block = block;
    }
    verify(slot, kept);
    resized(thread, slot, size);
}

static void resolve(const struct slot *slot, uint64_t pick)
{
    size_t offset = slot->size ? pick % slot->size : 0;
    struct memory_reader reader = memory_reader_own();
    struct heap_block found;
    uintptr_t word = (uintptr_t)slot->block + offset;
    if (!heap_resolve(&reader, (uintptr_t)&mete_heap_root, word, &found)) {
        model_fail("not resolved", (void *)word, 0, slot->size);
    }
    expect("resolved start", slot->block, found.start, (uintptr_t)slot->block);
    expect("resolved state", slot->block, found.state, HEAP_BLOCK_LIVE);
    expect("resolved size", slot->block, found.block_size, heap_block_size(slot->block));
    if (found.block_size < slot->size) {
        model_fail("block size", slot->block, found.block_size, slot->size);
    }
}

static void visit_full(struct model_thread *thread, struct slot *slot)
{
    uint64_t pick = model_random(&thread->random);
    if (pick % 100 >= thread->plan->fill_percent) {
        empty(slot);
    } else if (pick % 8 < 2) {
        change_size(thread, slot);
    } else if (pick % 8 == 2 && thread->plan->resolves) {
        resolve(slot, pick >> 8);
    }
}

void model_visit(struct model_thread *thread)
{
    uint64_t pick = model_random(&thread->random);
    struct slot *slot = &model.slots[(pick >> 16) % thread->plan->slot_count];
    atomic_fetch_add_explicit(&model.visits, 1, memory_order_relaxed);
    if (pick % (1 << 14) == 0) (void)heap_trim(pick >> 40 & 0xffffff);
    if (atomic_flag_test_and_set_explicit(&slot->lock, memory_order_acquire)) return;
    if (slot->block) {
        visit_full(thread, slot);
    } else if (pick % 100 < thread->plan->fill_percent) {
        put(thread, slot);
    }
    atomic_flag_clear_explicit(&slot->lock, memory_order_release);
}

void model_empty(void)
{
    for (size_t i = 0; i < MODEL_SLOTS; i++) {
        if (model.slots[i].block) empty(&model.slots[i]);
    }
}

// --- the whole table
// -------------------------------------------------------------------------------

struct walk {
    const struct slot **slots; // of all blocks, by address
    size_t count;
    size_t seen;
    size_t noted;
    uintptr_t end; // of the block seen last
};

static bool compare_block(void *context, const struct heap_block *block)
{
    struct walk *walk = context;
    const void *start = (const void *)block->start;
    if (walk->seen == walk->count) model_fail("one block too many", start, walk->seen, walk->count);
    const struct slot *slot = walk->slots[walk->seen++];
    expect("walked block", start, block->start, (uintptr_t)slot->block);
    expect("walked state", start, block->state, HEAP_BLOCK_LIVE);
    expect("walked block size", start, block->block_size, heap_block_size(slot->block));
    if (block->block_size < slot->size) model_fail("size", start, block->block_size, slot->size);
    if (block->start < walk->end) model_fail("overlap", start, block->start, walk->end);
    walk->end = block->start + block->block_size;
    if (model.is_observed && block->site) {
        walk->noted++;
        expect("walked size", start, block->size, slot->size);
        expect("walked site", start, block->site, site_of(start, slot->size));
    }
    return true;
}

static int compare_slots(const void *left, const void *right)
{
    uintptr_t a = (uintptr_t)(*(const struct slot *const *)left)->block;
    uintptr_t b = (uintptr_t)(*(const struct slot *const *)right)->block;
    return (a > b) - (a < b);
}

void model_check(bool is_observed, size_t live_blocks, size_t live_bytes)
{
    struct walk walk = {.slots = malloc(MODEL_SLOTS * sizeof(struct slot *))};
    if (!walk.slots) abort();
    size_t bytes = 0;
    for (size_t i = 0; i < MODEL_SLOTS; i++) {
        if (!model.slots[i].block) continue;
        walk.slots[walk.count++] = &model.slots[i];
        bytes += heap_block_size(model.slots[i].block);
    }
    qsort(walk.slots, walk.count, sizeof *walk.slots, compare_slots);
    struct memory_reader reader = memory_reader_own();
    int error = heap_walk(&reader, (uintptr_t)&mete_heap_root, compare_block, &walk);
    expect("error of heap_walk", NULL, (size_t)error, 0);
    expect("blocks walked", NULL, walk.seen, walk.count);
    expect("blocks counted", NULL, live_blocks, walk.count);
    expect("bytes counted", NULL, live_bytes, bytes);
    // Without memory a note may be missing.
    if (is_observed && walk.noted > (size_t)model.noted_blocks) {
        model_fail("blocks with notes", NULL, walk.noted, (size_t)model.noted_blocks);
    }
    if (is_observed && model.failures == 0) {
        expect("blocks with notes", NULL, walk.noted, (size_t)model.noted_blocks);
    }
    free(walk.slots);
}
