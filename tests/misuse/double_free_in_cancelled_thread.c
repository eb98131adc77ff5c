// expect: free(ACCUSED): double free of a block of 64 bytes
#include "misuse.h"

static void *crime(void *block)
{
    accused(block);
    pthread_cancel(pthread_self()); // heeded at the next call that may wait, as write() is
    free(block);
    free(block);
    return NULL;
}

int main(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, crime, block_among_others(64)) != 0) return 3;
    pthread_join(thread, NULL);
    return 0;
}
