// expect: free(ACCUSED): 4096 bytes into a block of SIZE bytes at START
#include "misuse.h"

int main(void)
{
    char *block = block_of(20000);
    free(accused(block + 4096));
    return 0;
}
