// expect: free(ACCUSED): 50000016 bytes into a block of SIZE bytes at START
#include "misuse.h"

int main(void)
{
    char *block = block_of(64 << 20);
    free(accused(block + 50000016));
    return 0;
}
