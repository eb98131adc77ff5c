// expect: free(ACCUSED): double free of a block of 67112960 bytes
#include "misuse.h"

int main(void)
{
    char *block = block_of((64 << 20) + 1);
    free(block);
    free(accused(block));
    return 0;
}
