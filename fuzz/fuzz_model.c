// Random operations on the heap from several threads, against a model: a table of the blocks that
// should be live, with their sizes and contents. Unlike the other fuzzers it is a program of its
// own.
//
//   fuzz_model [SECONDS [SEED]]      (METE_SOAK_SECONDS: how long when nothing is said; 600 unless
//   set)
//
// It goes in rounds. In a round threads come and go, each picks slots of the table at random: it
// fills empty ones and verifies, resizes or frees what is in the others, whoever allocated it.
// Rounds differ in settings, in whether the table tends to fill or to empty, in whether somebody
// observes, and some run short of address space. Between rounds nothing moves: then heap_check()
// walks the heap, and heap_walk() must find exactly the table's blocks.
#include "model.h"

#include "../tests/heap/heap_check.h"
#include "heap/heap.h"
#include "heap/resolve.h"
#include "os/brief_thread.h"
#include "os/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    THREADS = 4,
    ROUND_MS = 150,
    VISITS_MAX = 60000, // of slots by one thread before another takes its place
};

struct round {
    struct model_plan plan;
    uint64_t end_ms;
    bool is_short; // of address space
};

static struct round round_now;
static pthread_key_t early_key; // its destructor runs before the heap's
static pthread_key_t late_key;  // and this one after it, when the thread's heap is gone already

// --- threads
// ---------------------------------------------------------------------------------------

static void use_heap_at_exit(void *seed)
{
    struct model_thread thread = {.random = (uint64_t)(uintptr_t)seed, .plan = &round_now.plan};
    for (int i = 0; i < 50; i++) model_visit(&thread);
}

static void *work(void *seed)
{
    struct model_thread thread = {.random = (uint64_t)(uintptr_t)seed, .plan = &round_now.plan};
    uint64_t visits = 1 + model_random(&thread.random) % VISITS_MAX;
    if (model_random(&thread.random) % 2) (void)pthread_setspecific(early_key, seed);
    if (model_random(&thread.random) % 2) (void)pthread_setspecific(late_key, seed);
    for (uint64_t i = 0; i < visits && clock_coarse_ms() < round_now.end_ms; i++) {
        model_visit(&thread);
    }
    return NULL;
}

// Keeps THREADS threads going until the round ends. A thread that cannot be made, for want of
// memory, is this one's to replace.
static void run_threads(uint64_t *random)
{
    pthread_t threads[THREADS];
    bool is_there[THREADS] = {false};
    round_now.end_ms = clock_coarse_ms() + ROUND_MS;
    while (clock_coarse_ms() < round_now.end_ms) {
        for (int i = 0; i < THREADS; i++) {
            void *seed = (void *)(uintptr_t)(model_random(random) | 1);
            if (is_there[i]) (void)pthread_join(threads[i], NULL);
            is_there[i] = pthread_create(&threads[i], NULL, work, seed) == 0;
            if (!is_there[i]) work(seed);
        }
    }
    for (int i = 0; i < THREADS; i++) {
        if (is_there[i]) (void)pthread_join(threads[i], NULL);
    }
}

// --- rounds
// ----------------------------------------------------------------------------------------

static void configure(uint64_t *random)
{
    static const size_t direct_sizes[] = {64 << 10, 128 << 10, 1 << 20, 32 << 20};
    static const size_t keeps[] = {0, 64 << 10, 4 << 20, 64 << 20};
    struct heap_settings settings = {
        .direct_size_min = direct_sizes[model_random(random) % 4],
        .dirty_bytes_keep = keeps[model_random(random) % 4],
        .purge_delay_ms = 1,
        .use_helper = MODEL_USES_HELPER && model_random(random) % 4 != 0,
    };
    heap_configure(&settings);
}

// No helper any more.
static void end_helper(void)
{
    struct heap_settings settings = heap_settings();
    settings.use_helper = false;
    heap_configure(&settings);
    while (!brief_thread_end()) clock_sleep_ms(1);
}

// Bytes of address space; 0 when the kernel does not say.
static size_t address_space_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    size_t pages = 0;
    if (!file || fscanf(file, "%zu", &pages) != 1) pages = 0;
    if (file) fclose(file);
    return pages * PAGE_SIZE;
}

static void limit_address_space(size_t bytes)
{
    struct rlimit limit;
    (void)getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    if (setrlimit(RLIMIT_AS, &limit)) model_fail("setrlimit", NULL, (size_t)errno, bytes);
}

static void check_everything(bool is_observed)
{
    struct heap_census census = heap_check();
    model_check(is_observed, census.live_blocks, census.live_bytes);
    struct heap_stats stats;
    heap_stats(&stats);
    size_t dirty = census.dirty_bytes + census.kept_bytes;
    if (stats.free_dirty_bytes != dirty) {
        model_fail("free_dirty_bytes", NULL, stats.free_dirty_bytes, dirty);
    }
    if (stats.free_clean_bytes != census.clean_bytes) {
        model_fail("free_clean_bytes", NULL, stats.free_clean_bytes, census.clean_bytes);
    }
    if (stats.direct_blocks != census.direct_spans) {
        model_fail("direct_blocks", NULL, stats.direct_blocks, census.direct_spans);
    }
}

static void run_round(uint64_t *random)
{
    bool is_observed = model_random(random) % 3 == 0;
    // Sanitizers need address space themselves.
    round_now.is_short = !MODEL_IS_SANITIZED && model_random(random) % 6 == 0;
    round_now.plan = (struct model_plan){
        .fill_percent = 10 + (unsigned)(model_random(random) % 81),
        .slot_count = MODEL_SLOTS >> model_random(random) % 8,
        .large_percent = (unsigned)(model_random(random) % 3),
        .may_fail = round_now.is_short,
        .resolves = !MODEL_IS_SANITIZED, // reads beside the others' writes, by design
    };
    configure(random);
    if (is_observed) model_observe(true);
    if (round_now.is_short) {
        limit_address_space(address_space_bytes() + (model_random(random) % 48 << 20));
    }
    run_threads(random);
    if (round_now.is_short) limit_address_space(SIZE_MAX);
    end_helper();
    check_everything(is_observed);
    if (is_observed) model_observe(false);
    if (model_random(random) % 8 == 0) {
        (void)heap_trim(0);
        check_everything(false);
    }
}

// All blocks freed: nothing is left, and what is free is one page of each class in use at most.
static void empty_heap(void)
{
    model_empty();
    (void)heap_trim(0);
    struct heap_census census = heap_check();
    model_check(false, census.live_blocks, census.live_bytes);
    if (census.live_blocks) model_fail("blocks after the last free", NULL, census.live_blocks, 0);
}

int main(int argc, char **argv)
{
    const char *soak = getenv("METE_SOAK_SECONDS");
    uint64_t seconds = strtoull(argc > 1 ? argv[1] : soak ? soak : "600", NULL, 10);
    uint64_t seed = clock_coarse_ms() << 20 ^ (uint64_t)getpid();
    if (argc > 2) seed = strtoull(argv[2], NULL, 0);
    printf("1..1\n# seed %#lx, %lu seconds\n", seed, seconds);
    fflush(stdout);

    model_init();
    (void)pthread_key_create(&early_key, use_heap_at_exit);
    heap_free(heap_alloc(1)); // makes the heap's key
    (void)pthread_key_create(&late_key, use_heap_at_exit);
    uint64_t random = seed;
    uint64_t rounds = 0;
    uint64_t end_ms = clock_coarse_ms() + seconds * 1000;
    while (clock_coarse_ms() < end_ms) {
        run_round(&random);
        if (++rounds % 64 == 0) empty_heap();
    }
    empty_heap();
    printf("# %lu rounds, %lu visits, %lu failed allocations\n", rounds, model_visits(),
           model_failures());
    printf("ok 1 - the heap and its model agree\n");
    return 0;
}
