// expect: free(ACCUSED): double free of a block of 64 bytes
#include "misuse.h"

__attribute__((constructor)) static void begin(void)
{
    char *block = block_of(64);
    free(block);
    free(accused(block));
}

int main(void)
{
    return 0;
}
