// expect: free(ACCUSED): 63 bytes into a block of 64 bytes at START
#include "misuse.h"

int main(void)
{
    char *block = block_of(64);
    free(accused(block + 63));
    return 0;
}
