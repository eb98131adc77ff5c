// expect: free(ACCUSED): double free of a block of 64 bytes
#include "misuse.h"

int main(void)
{
    char *block = block_among_others(64);
    free_in_thread(block);
    free(accused(block));
    return 0;
}
