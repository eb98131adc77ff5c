// expect: free(ACCUSED): double free of a block of 64 bytes
// expect: free(ACCUSED): double free: by two threads at the same time
//
// Two threads free one block at the same moment, in 200 children; each of them must be caught, at
// the latest when the heap comes to reuse the block.
#include "misuse.h"

#include <stdatomic.h>

static atomic_int arrived;

static void *race(void *block)
{
    arrived++;
    while (arrived < 2) // nearer to the same moment than a barrier that sleeps
        ;
    free(block);
    return NULL;
}

static void commit(int round)
{
    pthread_t threads[2];
    void *block = accused(block_of(64));
    for (int i = 0; i < 2 - round % 2; i++)
        if (pthread_create(&threads[i], NULL, race, block) != 0) _Exit(3);
    if (round % 2) race(block); // every other time the thread that owns the block is one of them
    for (int i = 0; i < 2 - round % 2; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < 5000; i++)
        if (!malloc(64)) _Exit(3);
    _Exit(0);
}

int main(void)
{
    for (int round = 0; round < 200; round++) {
        int status = 0;
        if (fork() == 0) commit(round);
        wait(&status);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != 6) return 4;
    }
    abort(); // as every child
}
