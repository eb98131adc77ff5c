// expect: free(ACCUSED): double free of a block of 1048576 bytes
#include "misuse.h"

int main(void)
{
    char *block = block_of(1 << 20);
    free_in_thread(block);
    free(accused(block));
    return 0;
}
