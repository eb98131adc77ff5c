// One thread allocates, another frees: handover MILLISECONDS. SLOTS blocks are live at most, and
// the one that has been replaced but not yet freed.
#include "program.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

enum { SLOTS = 64, BLOCK = 1000, BATCH = 1000 };

static _Atomic(void *) slots[SLOTS];
static _Atomic bool is_over;

static __attribute__((noinline, noclone)) void make(_Atomic(void *) *slot)
{
    void *block = malloc(BLOCK);
    EXPECT(block != NULL);
    free(atomic_exchange(slot, block));
}

static void *take(void *context)
{
    for (unsigned i = 0; !is_over; i++) free(atomic_exchange(&slots[i % SLOTS], NULL));
    return context;
}

static long long now_ms(void)
{
    struct timespec now;
    EXPECT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
    EXPECT(argc == 2);
    const long long end = now_ms() + strtol(argv[1], NULL, 10);
    pthread_t taker;
    EXPECT(pthread_create(&taker, NULL, take, NULL) == 0);
    do {
        for (unsigned i = 0; i < BATCH; i++) {
            if (!slots[i % SLOTS]) make(&slots[i % SLOTS]);
        }
    } while (now_ms() < end);
    is_over = true;
    EXPECT(pthread_join(taker, NULL) == 0);
    for (unsigned i = 0; i < SLOTS; i++) free(slots[i]);
    return 0;
}
