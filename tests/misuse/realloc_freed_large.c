// expect: realloc(ACCUSED): use of a freed block of SIZE bytes
#include "misuse.h"

int main(void)
{
    char *block = block_of(100000);
    free(block);
    return realloc(accused(block), 200000) != NULL;
}
