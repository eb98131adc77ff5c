// expect: free(ACCUSED): double free of a block of 16 bytes
#include "misuse.h"

int main(void)
{
    char *block = block_of(0);
    free(block);
    free(accused(block));
    return 0;
}
