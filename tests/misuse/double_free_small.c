// expect: free(ACCUSED): double free of a block of 64 bytes
#include "misuse.h"

int main(void)
{
    char *block = block_of(60);
    free(block);
    free(accused(block));
    return 0;
}
