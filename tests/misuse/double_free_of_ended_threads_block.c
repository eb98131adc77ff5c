// expect: free(ACCUSED): double free of a block of 64 bytes
#include "misuse.h"

static void *allocate(void *unused)
{
    (void)unused;
    return block_among_others(64);
}

int main(void)
{
    pthread_t thread;
    void *block = NULL;
    if (pthread_create(&thread, NULL, allocate, NULL) != 0) return 3;
    pthread_join(thread, &block);
    free(block);
    free(accused(block));
    return 0;
}
