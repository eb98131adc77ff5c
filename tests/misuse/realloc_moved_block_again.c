// expect: realloc(ACCUSED): use of a freed block of 64 bytes
#include "misuse.h"

int main(void)
{
    char *block = block_among_others(64);
    char *volatile moved = realloc(block, 100000);
    if (moved == block) return 3;
    return realloc(accused(block), 200) != NULL;
}
