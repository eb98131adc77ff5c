// Memory return: does freed memory go back to the system when the program then does nothing?
// Two threads fill 512 MiB each with small blocks and free 99 % of them in random order. From then
// on nobody calls the allocator, and resident memory is read at once and up to two seconds later;
// then the rest is freed, and it is read again. The threads stay alive, blocked, or have exited.
//
// What no allocator can return is printed too: the pages that the survivors stand on ("floor").
// The benchmark's own arrays of pointers are mapped and touched beforehand, and subtracted.
//
// Usage: memory_return [--sizes=LOW..HIGH] [--exit] [--mib=PER_THREAD]
// Prints name=value, one a line; _kib is resident memory less the arrays.
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    THREAD_COUNT = 2,
    PAGE_SIZE = 4096,
    SIZE_MIN = sizeof(uint32_t), // a block holds its own size
    PAGE_SET_CAPACITY = 1 << 22, // slots; four times the pages of 4 GiB
};

// blocks[0, count) were allocated; after the shuffle blocks[0, survivor_index) are freed first.
struct worker {
    pthread_t thread;
    uint64_t random;
    char **blocks;
    size_t capacity;
    size_t count;
    size_t survivor_index;
};

static struct memory_return {
    size_t size_low;
    size_t size_high;
    size_t bytes_per_thread;
    bool threads_exit;
    int statm_fd;
    size_t array_bytes;
    pthread_barrier_t step; // both threads and main; twice per phase: done, go on
    struct worker workers[THREAD_COUNT];
} run = {.size_low = 64, .size_high = 4096, .bytes_per_thread = (size_t)512 << 20};

_Noreturn static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13; // xorshift64: any generator does, as long as it is the same for all
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void *map_touched(size_t size)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (memory == MAP_FAILED) fail("mmap");
    return memory;
}

static void step_wait(void)
{
    (void)pthread_barrier_wait(&run.step); // its result only elects a thread
}

static uint32_t block_size(const char *block)
{
    uint32_t size;
    memcpy(&size, block, sizeof size);
    return size;
}

static void worker_fill(struct worker *worker)
{
    size_t live_bytes = 0;
    while (live_bytes < run.bytes_per_thread && worker->count < worker->capacity) {
        size_t span = run.size_high - run.size_low + 1;
        uint32_t size = (uint32_t)(run.size_low + random_next(&worker->random) % span);
        char *block = malloc(size);
        if (block == NULL) fail("malloc");
        memset(block, 1, size);
        memcpy(block, &size, sizeof size);
        worker->blocks[worker->count++] = block;
        live_bytes += size;
    }
}

static void worker_shuffle(struct worker *worker)
{
    for (size_t i = worker->count - 1; i > 0; i--) {
        size_t other = random_next(&worker->random) % (i + 1);
        char *block = worker->blocks[i];
        worker->blocks[i] = worker->blocks[other];
        worker->blocks[other] = block;
    }
    worker->survivor_index = worker->count - worker->count / 100;
}

static void worker_free(struct worker *worker, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++) {
        uint32_t size = block_size(worker->blocks[i]);
        if (size < run.size_low || size > run.size_high) fail("a block lost its content");
        free(worker->blocks[i]);
    }
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    worker_fill(worker);
    worker_shuffle(worker);
    step_wait();
    step_wait();
    worker_free(worker, 0, worker->survivor_index);
    if (run.threads_exit) return NULL;
    step_wait();
    step_wait();
    worker_free(worker, worker->survivor_index, worker->count);
    step_wait();
    step_wait();
    return NULL;
}

static size_t resident_kib(void)
{
    char text[128];
    ssize_t len = pread(run.statm_fd, text, sizeof text - 1, 0);
    if (len <= 0) fail("/proc/self/statm");
    text[len] = '\0';
    char *second = strchr(text, ' ');
    if (second == NULL) fail("/proc/self/statm");
    return (strtoull(second, NULL, 10) * PAGE_SIZE - run.array_bytes) / 1024;
}

static uint64_t cpu_us(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage); // cannot fail
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000u +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void sleep_until(const struct timespec *begin, unsigned later_ms)
{
    struct timespec until = *begin;
    until.tv_nsec += (long)(later_ms % 1000) * 1000000;
    until.tv_sec += (time_t)(later_ms / 1000) + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0) continue; // EINTR
}

// Reads resident memory at each of the times; nothing here calls the allocator.
static void sample(const unsigned *times_ms, size_t count, size_t *resident_out)
{
    struct timespec begin;
    (void)clock_gettime(CLOCK_MONOTONIC, &begin); // cannot fail for this clock
    for (size_t i = 0; i < count; i++) {
        sleep_until(&begin, times_ms[i]);
        resident_out[i] = resident_kib();
    }
}

// Adds a page number (never 0) to an open-addressed set. True when it was not in it.
static bool page_set_add(uint64_t *set, uint64_t page)
{
    size_t slot = (size_t)(page * 0x9e3779b97f4a7c15u >> 42);
    while (set[slot] != 0 && set[slot] != page) slot = (slot + 1) % PAGE_SET_CAPACITY;
    if (set[slot] == page) return false;
    set[slot] = page;
    return true;
}

// The pages that hold at least one byte of a survivor, in KiB.
static size_t survivors_floor_kib(void)
{
    uint64_t *set = map_touched(PAGE_SET_CAPACITY * sizeof *set);
    size_t page_count = 0;
    for (size_t i = 0; i < THREAD_COUNT; i++) {
        const struct worker *worker = &run.workers[i];
        for (size_t j = worker->survivor_index; j < worker->count; j++) {
            uintptr_t begin = (uintptr_t)worker->blocks[j];
            uintptr_t last = begin + block_size(worker->blocks[j]) - 1;
            for (uintptr_t page = begin / PAGE_SIZE; page <= last / PAGE_SIZE; page++) {
                page_count += page_set_add(set, page);
            }
        }
    }
    (void)munmap(set, PAGE_SET_CAPACITY * sizeof *set); // a whole mapping of ours: cannot fail
    return page_count * (PAGE_SIZE / 1024);
}

static void workers_start(void)
{
    if (pthread_barrier_init(&run.step, NULL, THREAD_COUNT + 1)) fail("pthread_barrier_init");
    size_t mean = (run.size_low + run.size_high) / 2;
    size_t capacity = run.bytes_per_thread / mean / 16 * 17; // 6 % above what is expected
    for (size_t i = 0; i < THREAD_COUNT; i++) {
        struct worker *worker = &run.workers[i];
        worker->random = 0x9e3779b97f4a7c15u * (i + 1);
        worker->capacity = capacity;
        worker->blocks = map_touched(capacity * sizeof *worker->blocks);
        run.array_bytes +=
            (capacity * sizeof *worker->blocks + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE;
    }
    printf("arrays_kib=%zu\nbaseline_kib=%zu\n", run.array_bytes / 1024, resident_kib());
    for (size_t i = 0; i < THREAD_COUNT; i++) {
        struct worker *worker = &run.workers[i];
        if (pthread_create(&worker->thread, NULL, worker_main, worker)) fail("pthread_create");
    }
}

static void workers_join(void)
{
    for (size_t i = 0; i < THREAD_COUNT; i++) {
        if (pthread_join(run.workers[i].thread, NULL)) fail("pthread_join");
    }
}

static void free_the_rest(void)
{
    if (!run.threads_exit) {
        step_wait();
        step_wait();
        return;
    }
    for (size_t i = 0; i < THREAD_COUNT; i++) {
        worker_free(&run.workers[i], run.workers[i].survivor_index, run.workers[i].count);
    }
}

static void measure(void)
{
    static const unsigned after_99_ms[] = {0, 250, 500, 1000, 2000};
    static const unsigned after_all_ms[] = {0, 1000};
    size_t freed_99_kib[5];
    size_t freed_all_kib[2];

    workers_start();
    step_wait();
    size_t full_kib = resident_kib();
    uint64_t fill_us = cpu_us();
    step_wait();
    if (run.threads_exit)
        workers_join();
    else
        step_wait();
    uint64_t free_us = cpu_us() - fill_us;
    sample(after_99_ms, 5, freed_99_kib);
    uint64_t idle_us = cpu_us() - fill_us - free_us;
    size_t floor_kib = survivors_floor_kib();
    free_the_rest();
    sample(after_all_ms, 2, freed_all_kib);

    printf("full_kib=%zu\nfill_cpu_us=%" PRIu64 "\nfree_cpu_us=%" PRIu64 "\nidle_cpu_us=%" PRIu64
           "\nfloor_kib=%zu\n",
           full_kib, fill_us, free_us, idle_us, floor_kib);
    for (size_t i = 0; i < 5; i++) {
        printf("freed_99_after_%u_ms_kib=%zu\n", after_99_ms[i], freed_99_kib[i]);
    }
    for (size_t i = 0; i < 2; i++) {
        printf("freed_all_after_%u_ms_kib=%zu\n", after_all_ms[i], freed_all_kib[i]);
    }
    if (!run.threads_exit) {
        step_wait();
        workers_join();
    }
}

static void parse(char **arguments)
{
    for (size_t i = 1; arguments[i] != NULL; i++) {
        size_t mib;
        if (sscanf(arguments[i], "--sizes=%zu..%zu", &run.size_low, &run.size_high) == 2) continue;
        if (sscanf(arguments[i], "--mib=%zu", &mib) == 1) {
            run.bytes_per_thread = mib << 20;
        } else if (strcmp(arguments[i], "--exit") == 0) {
            run.threads_exit = true;
        } else {
            fprintf(stderr, "memory_return: unknown argument %s\n", arguments[i]);
            exit(2);
        }
    }
    if (run.size_low < SIZE_MIN || run.size_high < run.size_low || run.bytes_per_thread == 0) {
        fprintf(stderr, "memory_return: sizes or mib out of range\n");
        exit(2);
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    parse(argv);
    run.statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (run.statm_fd < 0) fail("/proc/self/statm");
    measure();
    return fflush(stdout) == 0 ? 0 : 1;
}
