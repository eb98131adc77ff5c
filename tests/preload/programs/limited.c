// Holds ARGV[1] MiB in small blocks and runs ARGV[2] threads; status 2 when memory did not suffice.
#include "program.h"

#include <pthread.h>

static void *live(void *unused)
{
    void *blocks[200];
    for (size_t i = 0; i < 200; i++) {
        if ((blocks[i] = malloc(1000)) == NULL) _exit(2);
    }
    for (size_t i = 0; i < 200; i++) free(blocks[i]);
    return unused;
}

int main(int argc, char **argv)
{
    EXPECT(argc == 3);
    size_t count = strtoul(argv[1], NULL, 10) * 1024;
    size_t threads = strtoul(argv[2], NULL, 10);
    void *chain = NULL;
    for (size_t i = 0; i < count; i++) {
        void **block = malloc(1000);
        if (block == NULL) return 2;
        *block = chain;
        chain = block;
    }
    pthread_t ids[64];
    EXPECT(threads <= 64);
    for (size_t i = 0; i < threads; i++) {
        if (pthread_create(&ids[i], NULL, live, NULL) != 0) return 2;
    }
    for (size_t i = 0; i < threads; i++) pthread_join(ids[i], NULL);
    while (chain != NULL) {
        void *next = *(void **)chain;
        free(chain);
        chain = next;
    }
    return 0;
}
