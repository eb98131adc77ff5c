// expect: free(ACCUSED): double free of a block of SIZE bytes
#include "misuse.h"

int main(void)
{
    char *block = block_of((64 << 20) + 1);
    free(block);
    free(accused(block));
    return 0;
}
