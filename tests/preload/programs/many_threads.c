// A thousand threads alive at once, each with blocks of its own and blocks of others; half of them
// leave blocks behind that the main thread checks and frees when their threads are long gone.
#include "program.h"

#include <pthread.h>

enum { THREADS = 1000, BLOCKS = 20 };

static pthread_barrier_t all_alive;
static unsigned char *left[THREADS][BLOCKS];

static void *live(void *argument)
{
    size_t self = (size_t)argument;
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t size = 16 + i * 50;
        EXPECT((left[self][i] = malloc(size)) != NULL);
        memset(left[self][i], (int)(self + i), size);
    }
    pthread_barrier_wait(&all_alive);
    size_t other = (self + 1) % THREADS;
    if (other % 2 == 0) return NULL; // its blocks outlive it
    for (size_t i = 0; i < BLOCKS; i++) {
        EXPECT(left[other][i][0] == (unsigned char)(other + i));
        free(left[other][i]);
        left[other][i] = NULL;
    }
    return NULL;
}

int main(void)
{
    static pthread_t threads[THREADS];
    pthread_attr_t attributes;
    EXPECT(pthread_barrier_init(&all_alive, NULL, THREADS) == 0);
    EXPECT(pthread_attr_init(&attributes) == 0);
    EXPECT(pthread_attr_setstacksize(&attributes, 64 * KIB) == 0);
    for (size_t i = 0; i < THREADS; i++) {
        EXPECT(pthread_create(&threads[i], &attributes, live, (void *)i) == 0);
    }
    for (size_t i = 0; i < THREADS; i++) EXPECT(pthread_join(threads[i], NULL) == 0);
    for (size_t i = 0; i < THREADS; i += 2) {
        for (size_t k = 0; k < BLOCKS; k++) {
            size_t size = 16 + k * 50;
            EXPECT(left[i][k][0] == (unsigned char)(i + k));
            EXPECT(left[i][k][size - 1] == (unsigned char)(i + k));
            free(left[i][k]);
        }
    }
    exercise(1);
    return 0;
}
