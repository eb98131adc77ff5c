// expect: free(ACCUSED): 65536 bytes into a block of SIZE bytes at START
#include "misuse.h"

int main(void)
{
    char *block = block_of(200000);
    free(accused(block + 65536));
    return 0;
}
