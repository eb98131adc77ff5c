// 1 000 threads alive at once, each with blocks of its own; every one frees what its neighbour
// allocated. Prints a sum that depends on every byte.
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 1000, BLOCKS = 200 };

static void *blocks[THREADS][BLOCKS];
static uint64_t sums[THREADS];
static pthread_barrier_t barrier;

static size_t size_of(size_t thread, size_t block)
{
    return block == 0 ? 150000 : 1 + (thread * 31 + block * 17) % 900;
}

static void *body(void *argument)
{
    size_t thread = (size_t)(uintptr_t)argument;
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[thread][i] = malloc(size_of(thread, i));
        if (!blocks[thread][i]) abort();
        memset(blocks[thread][i], (int)(thread + i), size_of(thread, i));
    }
    pthread_barrier_wait(&barrier);
    size_t neighbour = (thread + 1) % THREADS;
    for (size_t i = 0; i < BLOCKS; i++) {
        unsigned char *bytes = blocks[neighbour][i];
        for (size_t j = 0; j < size_of(neighbour, i); j++) sums[thread] += bytes[j] * (j + 1);
        if (i % 2 == 0) bytes = realloc(bytes, size_of(neighbour, i) * 2);
        sums[thread] += bytes[0];
        free(bytes);
    }
    return NULL;
}

int main(void)
{
    static pthread_t threads[THREADS];
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) || pthread_attr_setstacksize(&attributes, 128 * 1024))
        return 2;
    if (pthread_barrier_init(&barrier, NULL, THREADS)) return 2;
    for (size_t i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], &attributes, body, (void *)(uintptr_t)i)) return 2;
    uint64_t sum = 0;
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum += sums[i];
    }
    printf("%d threads, sum %llu\n", THREADS, (unsigned long long)sum);
    return 0;
}
