// expect: free(ACCUSED): 32 bytes into a block of 64 bytes at START that is free
#include "misuse.h"

int main(void)
{
    char *block = block_of(64);
    free(block);
    free(accused(block + 32));
    return 0;
}
