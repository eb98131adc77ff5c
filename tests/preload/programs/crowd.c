// Many threads at once, each at the same stacks: crowd THREADS STACKS. Each allocates a block at
// every stack, and when all have, frees those of its neighbour.
#include "program.h"
#include "stacks.h"

#include <pthread.h>

enum { BLOCK = 40 };

static unsigned long threads;
static unsigned long stacks;
static void **blocks; // of thread i: from i * stacks on
static pthread_barrier_t all;

static _Thread_local void **slot;

static void take_one(void)
{
    *slot = malloc(BLOCK);
    EXPECT(*slot != NULL);
}

static void *work(void *context)
{
    const unsigned long index = (unsigned long)(uintptr_t)context;
    pthread_barrier_wait(&all);
    for (unsigned long i = 0; i < stacks; i++) {
        slot = &blocks[index * stacks + i];
        wind(stacks + i, take_one);
    }
    pthread_barrier_wait(&all);
    void **others = &blocks[(index + 1) % threads * stacks];
    for (unsigned long i = 0; i < stacks; i++) free(others[i]);
    pthread_barrier_wait(&all);
    return NULL;
}

int main(int argc, char **argv)
{
    EXPECT(argc == 3);
    threads = strtoul(argv[1], NULL, 10);
    stacks = strtoul(argv[2], NULL, 10);
    blocks = calloc(threads * stacks, sizeof *blocks);
    pthread_t *ids = calloc(threads, sizeof *ids);
    EXPECT(blocks != NULL && ids != NULL);
    EXPECT(pthread_barrier_init(&all, NULL, (unsigned)threads) == 0);
    pthread_attr_t small;
    EXPECT(pthread_attr_init(&small) == 0);
    EXPECT(pthread_attr_setstacksize(&small, 64 * KIB) == 0);
    for (unsigned long i = 0; i < threads; i++) {
        // Where so many are not allowed that is no failure.
        if (pthread_create(&ids[i], &small, work, (void *)(uintptr_t)i) != 0) _exit(77);
    }
    for (unsigned long i = 0; i < threads; i++) EXPECT(pthread_join(ids[i], NULL) == 0);
    free(ids);
    free(blocks);
    return 0;
}
