// expect: free(ACCUSED): double free of a block of 64 bytes
#include "misuse.h"

int main(void)
{
    char *block = block_among_others(64);
    char *volatile moved = realloc(block, 100000);
    if (moved == block) return 3;
    free(accused(block));
    return 0;
}
