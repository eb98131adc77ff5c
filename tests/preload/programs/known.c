// A program whose allocations are known by site: each function below allocates so much so often.
// known THREADS ROUNDS: every thread does the same; what is passed on is freed by main, what is
// left is never freed.
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS_MAX = 64 };

#define SITE __attribute__((noinline, noclone))

static __thread void *volatile sink; // so that no call is optimised away

SITE void brief_site(void)
{
    sink = malloc(24);
    free(sink);
}

SITE char *array_site(void)
{
    return calloc(10, 30);
}

SITE void *aligned_site(void)
{
    void *block = NULL;
    return posix_memalign(&block, 64, 200) == 0 ? block : NULL;
}

SITE char *grown_site(char *block, size_t size)
{
    return realloc(block, size);
}

SITE char *passed_site(size_t size)
{
    return malloc(size);
}

SITE void left_site(void)
{
    sink = malloc(77);
}

SITE void large_site(void)
{
    char *block = malloc(300000);
    sink = block;
    array_site(); // so that the large one is not temporary; left
    free(block);
}

struct thread {
    pthread_t id;
    long rounds;
    char **passed;
};

static void *work(void *argument)
{
    struct thread *thread = argument;
    for (long i = 0; i < thread->rounds; i++) {
        brief_site();
        char *array = array_site();
        void *aligned = aligned_site();
        char *grown = NULL;
        for (size_t size = 10; size <= 1000; size *= 10) grown = grown_site(grown, size);
        thread->passed[i] = passed_site(50);
        left_site();
        free(array);
        free(aligned);
        free(grown);
    }
    large_site();
    return NULL;
}

int main(int argc, char **argv)
{
    static struct thread threads[THREADS_MAX];
    long count = argc > 1 ? atol(argv[1]) : 1;
    long rounds = argc > 2 ? atol(argv[2]) : 1000;
    if (count < 1 || count > THREADS_MAX || rounds < 1) return 2;
    for (long i = 0; i < count; i++) {
        threads[i].rounds = rounds;
        threads[i].passed = calloc((size_t)rounds, sizeof(char *));
    }
    for (long i = 1; i < count; i++) pthread_create(&threads[i].id, NULL, work, &threads[i]);
    work(&threads[0]);
    for (long i = 1; i < count; i++) pthread_join(threads[i].id, NULL);
    for (long i = 0; i < count; i++) {
        for (long j = 0; j < rounds; j++) free(threads[i].passed[j]);
        free(threads[i].passed);
    }
    return 0;
}
