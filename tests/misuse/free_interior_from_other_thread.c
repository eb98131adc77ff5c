// expect: free(ACCUSED): 16 bytes into a block of 64 bytes at START
#include "misuse.h"

int main(void)
{
    char *block = block_of(64);
    free_in_thread(accused(block + 16));
    return 0;
}
