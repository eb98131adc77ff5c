// Pairs: what does one malloc and its free cost, in the simplest programs there are?
// One item per pattern; each writes to what it gets, as a program would. Figures are the best of
// some rounds: what a disturbed machine adds is not the allocator's.
//
// Usage: pairs [--rounds=N] [ITEM…]     name, CPU ns and wall ns per operation, one item a line
//        pairs --count=N ITEM           N operations and no timing, for a counter of instructions
//        pairs --list                   name and "single" or "threads"
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    BATCH_COUNT = 1000,
    LIVE_COUNT = 20000,    // random: blocks alive
    RING_CAPACITY = 4096,  // producer to consumer: a power of two
    LARSON_LIVE = 5000,    // per thread
    LARSON_STRIDE = 50000, // replacements in a thread's life
};

struct item {
    const char *name;
    void (*repeat)(uint64_t count, size_t size);
    size_t size;
    uint64_t count; // operations per round, for some 20 ms with glibc; a guess
    bool has_threads;
};

_Noreturn static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13; // xorshift64
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

// Touches a block so that neither it nor its allocation can be optimised away.
static void *used(void *block)
{
    if (block == NULL) fail("allocation");
    *(volatile char *)block = 1;
    return block;
}

static void repeat_pair(uint64_t count, size_t size)
{
    for (uint64_t i = 0; i < count; i++) free(used(malloc(size)));
}

static void repeat_calloc(uint64_t count, size_t size)
{
    for (uint64_t i = 0; i < count; i++) free(used(calloc(1, size)));
}

static void repeat_aligned(uint64_t count, size_t size)
{
    for (uint64_t i = 0; i < count; i++) free(used(aligned_alloc(64, size)));
}

// One operation is the whole ladder: three sizes, one free.
static void repeat_realloc(uint64_t count, size_t size)
{
    for (uint64_t i = 0; i < count; i++) {
        void *block = used(malloc(size));
        block = used(realloc(block, size * 3 / 2));
        block = used(realloc(block, size * 5));
        free(block);
    }
}

// A thousand blocks, then the frees in the order of allocation; one operation is one block.
static void repeat_batch(uint64_t count, size_t size)
{
    static void *blocks[BATCH_COUNT];
    for (uint64_t done = 0; done < count; done += BATCH_COUNT) {
        for (size_t i = 0; i < BATCH_COUNT; i++) blocks[i] = used(malloc(size));
        for (size_t i = 0; i < BATCH_COUNT; i++) free(blocks[i]);
    }
}

// Replaces a random one of 20 000 blocks by one of 16 to 516 bytes.
static void repeat_random(uint64_t count, size_t size)
{
    static void *blocks[LIVE_COUNT];
    uint64_t state = 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < LIVE_COUNT; i++) blocks[i] = used(malloc(16));
    for (uint64_t i = 0; i < count; i++) {
        uint64_t draw = random_next(&state);
        size_t index = draw % LIVE_COUNT;
        free(blocks[index]);
        blocks[index] = used(malloc(16 + (draw >> 32) % (size - 15)));
    }
    for (size_t i = 0; i < LIVE_COUNT; i++) free(blocks[i]);
}

// One thread allocates, the other frees.
// Invariant: taken <= given <= taken + RING_CAPACITY.
struct ring {
    _Alignas(64) _Atomic uint64_t given; // written by the producer alone
    _Alignas(64) _Atomic uint64_t taken; // written by the consumer alone
    _Alignas(64) void *blocks[RING_CAPACITY];
    uint64_t count;
};

static struct ring ring;

static void *ring_consume(void *unused)
{
    for (uint64_t i = 0; i < ring.count; i++) {
        // acquire: pairs with the release in repeat_producer()
        while (atomic_load_explicit(&ring.given, memory_order_acquire) == i) sched_yield();
        free(ring.blocks[i % RING_CAPACITY]);
        // release: pairs with the acquire in repeat_producer()
        atomic_store_explicit(&ring.taken, i + 1, memory_order_release);
    }
    return unused;
}

static void repeat_producer(uint64_t count, size_t size)
{
    pthread_t consumer;
    ring.count = count;
    atomic_store(&ring.given, 0);
    atomic_store(&ring.taken, 0);
    if (pthread_create(&consumer, NULL, ring_consume, NULL)) fail("pthread_create");
    for (uint64_t i = 0; i < count; i++) {
        // acquire: pairs with the release in ring_consume()
        while (i - atomic_load_explicit(&ring.taken, memory_order_acquire) == RING_CAPACITY) {
            sched_yield();
        }
        ring.blocks[i % RING_CAPACITY] = used(malloc(size));
        // release: pairs with the acquire in ring_consume()
        atomic_store_explicit(&ring.given, i + 1, memory_order_release);
    }
    if (pthread_join(consumer, NULL)) fail("pthread_join");
}

// Like the server of Larson and Krishnan: a thread replaces random blocks for a while, then exits
// and leaves its blocks to a thread yet to be born.
struct larson {
    pthread_t thread;
    uint64_t random;
    size_t size_max;
    uint64_t count;
    void *blocks[LARSON_LIVE];
};

static void *larson_live(void *argument)
{
    struct larson *larson = argument;
    for (uint64_t i = 0; i < larson->count; i++) {
        uint64_t draw = random_next(&larson->random);
        size_t index = draw % LARSON_LIVE;
        free(larson->blocks[index]);
        larson->blocks[index] = used(malloc(8 + (draw >> 32) % (larson->size_max - 7)));
    }
    return NULL;
}

static void repeat_larson(uint64_t count, size_t size)
{
    static struct larson larsons[2];
    for (uint64_t done = 0; done < count; done += 2 * LARSON_STRIDE) {
        for (size_t i = 0; i < 2; i++) {
            struct larson *larson = &larsons[i];
            larson->size_max = size;
            larson->count = LARSON_STRIDE;
            if (larson->random == 0) larson->random = 0x9e3779b97f4a7c15u * (i + 1);
            if (pthread_create(&larson->thread, NULL, larson_live, larson)) fail("pthread_create");
        }
        for (size_t i = 0; i < 2; i++) {
            if (pthread_join(larsons[i].thread, NULL)) fail("pthread_join");
        }
    }
}

static const struct item items[] = {
    {"pair16", repeat_pair, 16, 2000000, false},
    {"pair64", repeat_pair, 64, 2000000, false},
    {"pair256", repeat_pair, 256, 2000000, false},
    {"pair1K", repeat_pair, 1024, 2000000, false},
    {"pair8K", repeat_pair, 8192, 1000000, false},
    {"pair64K", repeat_pair, 65536, 1000000, false},
    {"pair1M", repeat_pair, 1048576, 100000, false},
    {"batch1000x48", repeat_batch, 48, 1000000, false},
    {"random16..516", repeat_random, 516, 1000000, false},
    {"realloc40..200", repeat_realloc, 40, 200000, false},
    {"calloc128", repeat_calloc, 128, 1000000, false},
    {"aligned64x192", repeat_aligned, 192, 500000, false},
    {"producer64", repeat_producer, 64, 500000, true},
    {"larson8..1000", repeat_larson, 1000, 1000000, true},
};

enum { ITEM_COUNT = sizeof items / sizeof items[0] };

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now); // cannot fail for these clocks
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void measure(const struct item *item, unsigned rounds)
{
    uint64_t cpu_ns_min = UINT64_MAX;
    uint64_t wall_ns_min = UINT64_MAX;
    for (unsigned i = 0; i < rounds; i++) {
        uint64_t wall_ns = clock_ns(CLOCK_MONOTONIC);
        uint64_t cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
        item->repeat(item->count, item->size);
        cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns;
        wall_ns = clock_ns(CLOCK_MONOTONIC) - wall_ns;
        if (cpu_ns < cpu_ns_min) cpu_ns_min = cpu_ns;
        if (wall_ns < wall_ns_min) wall_ns_min = wall_ns;
    }
    double count = (double)item->count;
    printf("%s %.2f %.2f\n", item->name, (double)cpu_ns_min / count, (double)wall_ns_min / count);
}

static const struct item *item_find(const char *name)
{
    for (size_t i = 0; i < ITEM_COUNT; i++) {
        if (strcmp(items[i].name, name) == 0) return &items[i];
    }
    fprintf(stderr, "pairs: no item %s\n", name);
    exit(2);
}

static void list(void)
{
    for (size_t i = 0; i < ITEM_COUNT; i++) {
        printf("%s %s\n", items[i].name, items[i].has_threads ? "threads" : "single");
    }
}

int main(int argc, char **argv)
{
    unsigned rounds = 3;
    uint64_t count = 0;
    size_t named_count = 0;
    for (int i = 1; i < argc; i++) {
        if (sscanf(argv[i], "--rounds=%u", &rounds) == 1) continue;
        if (sscanf(argv[i], "--count=%" SCNu64, &count) == 1) continue;
        if (strcmp(argv[i], "--list") == 0) {
            list();
            return 0;
        }
        const struct item *item = item_find(argv[i]);
        named_count++;
        if (count > 0)
            item->repeat(count, item->size);
        else
            measure(item, rounds);
    }
    for (size_t i = 0; named_count == 0 && i < ITEM_COUNT; i++) measure(&items[i], rounds);
    return fflush(stdout) == 0 ? 0 : 1;
}
