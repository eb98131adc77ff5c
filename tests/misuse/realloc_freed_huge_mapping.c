// expect: realloc(ACCUSED): use of a freed block of SIZE bytes
#include "misuse.h"

int main(void)
{
    char *block = block_of(64 << 20);
    free(block);
    return realloc(accused(block), 128 << 20) != NULL;
}
