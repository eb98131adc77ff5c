// Threads come and go, each leaving its blocks to the next one, which frees them: what dead threads
// held must be found again, or memory grows with their number.
#include "program.h"

#include <pthread.h>

enum { THREADS = 2000, BLOCKS = 500, SIZE = 200 };

static void *left[BLOCKS];

static void *take_over(void *unused)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        free(left[i]);
        EXPECT((left[i] = malloc(SIZE)) != NULL);
        memset(left[i], 1, SIZE);
    }
    return unused;
}

static void run_threads(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        pthread_t thread;
        EXPECT(pthread_create(&thread, NULL, take_over, NULL) == 0);
        EXPECT(pthread_join(thread, NULL) == 0);
    }
}

int main(void)
{
    run_threads(20);
    size_t before = resident_bytes();
    run_threads(THREADS);
    EXPECT(resident_bytes() < before + 4 * MIB); // all that ever lives is 100 KiB
    for (size_t i = 0; i < BLOCKS; i++) free(left[i]);
    return 0;
}
