// expect: free(ACCUSED): double free of a block of 48 bytes
#include "misuse.h"

int main(void)
{
    // Who looks only when the free list is used hands the block out twice here.
    char *block = block_of(40);
    free(block_of(40));
    free(block);
    free(accused(block));
    block_of(40);
    block_of(40);
    return 0;
}
