// expect: reallocarray(ACCUSED): use of a freed block of 64 bytes
#include "misuse.h"

int main(void)
{
    char *block = block_of(64);
    free(block);
    return reallocarray(accused(block), 10, 10) != NULL;
}
