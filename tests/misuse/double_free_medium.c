// expect: free(ACCUSED): double free of a block of 5120 bytes
#include "misuse.h"

int main(void)
{
    char *block = block_of(5000);
    free(block);
    free(accused(block));
    return 0;
}
