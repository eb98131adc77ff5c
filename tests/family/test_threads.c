// The family among threads: blocks allocated here and freed there, threads that end before their
// blocks do, and no two live blocks that overlap. POSIX: all these functions are thread-safe.
// The cases' threads report faults by count, because a failed check must not leave its thread.
#include "family.h"

#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 4 };

static void threads_run(void *(*body)(void *), void *arguments, size_t size)
{
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, body, (char *)arguments + i * size), 0);
    for (size_t i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
}

struct ring {
    _Atomic(void *) slots[256];
    atomic_size_t faults;
    uint64_t seed;
    atomic_uint next_thread;
};

struct header {
    size_t size;
    uint64_t seed;
};

static struct header *message_make(uint64_t *random, size_t bound)
{
    size_t size = sizeof(struct header) + random_size(random, bound);
    struct header *message = pointer_hidden(malloc(size));
    if (!message) abort();
    message->size = size;
    message->seed = random_next(random);
    pattern_fill(message + 1, size - sizeof *message, message->seed);
    return message;
}

static bool message_is_intact(const struct header *message)
{
    size_t size = message->size - sizeof *message;
    return pattern_verify(message + 1, size, message->seed) == size;
}

// Every thread puts its blocks where another has put one, and frees that.
static void *ring_body(void *argument)
{
    struct ring *ring = *(struct ring **)argument;
    uint64_t random = ring->seed + atomic_fetch_add(&ring->next_thread, 1);
    for (size_t round = 0; round < 200000; round++) {
        size_t bound = round % 1024 == 0 ? 512 * KIB : 1024;
        struct header *message = message_make(&random, bound);
        size_t i = random_next(&random) % 256;
        struct header *other = atomic_exchange(&ring->slots[i], message);
        if (!other) continue;
        if (!message_is_intact(other)) atomic_fetch_add(&ring->faults, 1);
        free(other);
    }
    return NULL;
}

static void blocks_freed_by_other_threads_stay_intact(void **state)
{
    (void)state;
    static struct ring ring;
    ring.seed = seed_choose(__func__);
    struct ring *rings[THREADS] = {&ring, &ring, &ring, &ring};
    threads_run(ring_body, rings, sizeof rings[0]);
    for (size_t i = 0; i < 256; i++) {
        struct header *message = ring.slots[i];
        assert_true(!message || message_is_intact(message));
        free(message);
    }
    assert_int_equal(ring.faults, 0);
}

struct legacy {
    void *blocks[3000];
};

static void *legacy_body(void *argument)
{
    struct legacy *legacy = argument;
    for (size_t i = 0; i < 3000; i++) {
        legacy->blocks[i] = pointer_hidden(malloc(1 + i * 3));
        if (!legacy->blocks[i]) abort();
        pattern_fill(legacy->blocks[i], 1 + i * 3, i);
    }
    return NULL;
}

static void blocks_outlive_the_thread_that_allocated_them(void **state)
{
    (void)state;
    static struct legacy legacies[THREADS];
    size_t before = 0;
    for (int round = 0; round < 12; round++) {
        threads_run(legacy_body, legacies, sizeof legacies[0]);
        for (size_t t = 0; t < THREADS; t++) {
            for (size_t i = 0; i < 3000; i++) {
                assert_all_pattern(legacies[t].blocks[i], 1 + i * 3, i);
                // Some are resized by us before they go.
                if (i % 5 == 0)
                    legacies[t].blocks[i] = pointer_hidden(realloc(legacies[t].blocks[i], i + 1));
                free(legacies[t].blocks[i]);
            }
        }
        if (round == 3) before = resident_bytes();
    }
    // What dead threads leave is used again: 8 more rounds would be 430 MiB.
    size_t after = resident_bytes();
    assert_in_range(after > before ? after - before : 0, 0, 64 * MIB);
}

static void *mixed_body(void *argument)
{
    uint64_t random = *(uint64_t *)argument;
    enum { LIVE = 500 };
    void *blocks[LIVE] = {0};
    size_t sizes[LIVE] = {0};
    size_t faults = 0;
    for (size_t round = 0; round < 60000; round++) {
        size_t i = random_next(&random) % LIVE;
        faults += pattern_verify(blocks[i], sizes[i], i) != sizes[i];
        size_t size = 1 + random_size(&random, round % 256 == 0 ? 300 * KIB : 3 * KIB);
        size_t kept = sizes[i] < size ? sizes[i] : size;
        if (round % 3 == 0) {
            blocks[i] = pointer_hidden(realloc(blocks[i], size));
            faults += pattern_verify(blocks[i], kept, i) != kept;
        } else {
            free(blocks[i]);
            blocks[i] = pointer_hidden(round % 3 == 1 ? calloc(1, size) : memalign(64, size));
            faults += round % 3 == 1 && !is_filled_with(blocks[i], size, 0);
            faults += round % 3 == 2 && !is_aligned(blocks[i], 64);
        }
        sizes[i] = size;
        pattern_fill(blocks[i], size, i);
    }
    for (size_t i = 0; i < LIVE; i++) {
        faults += pattern_verify(blocks[i], sizes[i], i) != sizes[i];
        free(blocks[i]);
    }
    *(uint64_t *)argument = faults;
    return NULL;
}

static void all_functions_work_in_all_threads_at_once(void **state)
{
    (void)state;
    uint64_t seeds[THREADS];
    uint64_t random = seed_choose(__func__);
    for (size_t i = 0; i < THREADS; i++) seeds[i] = random_next(&random);
    threads_run(mixed_body, seeds, sizeof seeds[0]);
    for (size_t i = 0; i < THREADS; i++) assert_int_equal(seeds[i], 0);
}

static void *burst_body(void *argument)
{
    void **blocks = *(void ***)argument;
    for (size_t i = 0; i < 20000; i++) free(blocks[i]);
    return NULL;
}

static void one_thread_allocates_what_another_frees_without_growing(void **state)
{
    (void)state;
    static void *blocks[20000];
    void **argument = blocks;
    size_t before = 0;
    for (int round = 0; round < 40; round++) {
        for (size_t i = 0; i < 20000; i++) {
            blocks[i] = pointer_hidden(malloc(200));
            assert_non_null(blocks[i]);
            pages_touch(blocks[i], 200);
        }
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, burst_body, &argument), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        if (round == 4) before = resident_bytes();
    }
    // 4 MiB a round.
    size_t after = resident_bytes();
    assert_in_range(after > before ? after - before : 0, 0, 16 * MIB);
}

static _Atomic size_t errno_faults;

static void *errno_body(void *argument)
{
    (void)argument;
    for (size_t i = 0; i < 2000; i++) {
        errno = ERRNO_UNTOUCHED;
        free(pointer_hidden(malloc(100)));
        if (errno != ERRNO_UNTOUCHED) atomic_fetch_add(&errno_faults, 1);
        void *none = pointer_hidden(malloc(size_hidden(SIZE_MAX)));
        if (none || errno != ENOMEM) atomic_fetch_add(&errno_faults, 1);
    }
    return NULL;
}

static void errno_is_the_threads_own(void **state)
{
    (void)state;
    char nothing[THREADS];
    errno = ERRNO_UNTOUCHED;
    threads_run(errno_body, nothing, 1);
    assert_int_equal(errno_faults, 0);
    assert_int_equal(errno, ERRNO_UNTOUCHED);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(blocks_freed_by_other_threads_stay_intact),
        cmocka_unit_test(blocks_outlive_the_thread_that_allocated_them),
        cmocka_unit_test(all_functions_work_in_all_threads_at_once),
        cmocka_unit_test(one_thread_allocates_what_another_frees_without_growing),
        cmocka_unit_test(errno_is_the_threads_own),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
