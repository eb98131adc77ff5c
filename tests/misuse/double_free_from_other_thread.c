// expect: free(ACCUSED): double free of a block of 64 bytes
#include "misuse.h"

int main(void)
{
    char *block = block_among_others(64);
    free(block);
    free_in_thread(accused(block));
    return 0;
}
