// expect: free(ACCUSED): double free of a block of 64 bytes
#include "misuse.h"

static char *block;

static void release(void)
{
    free(accused(block));
}

int main(void)
{
    block = block_of(64);
    atexit(release);
    free(block);
    return 0;
}
