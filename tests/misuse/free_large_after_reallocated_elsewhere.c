// expect: free(ACCUSED): double free of a block of SIZE bytes
#include "misuse.h"

int main(void)
{
    char *block = block_of(100000);
    char *volatile moved = realloc(block, 64);
    if (moved == block) return 3;
    free(accused(block));
    return 0;
}
