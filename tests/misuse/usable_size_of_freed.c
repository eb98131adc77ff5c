// expect: malloc_usable_size(ACCUSED): double free of a block of 64 bytes
#include "misuse.h"

int main(void)
{
    char *block = block_of(64);
    free(block);
    return malloc_usable_size(accused(block)) == 0;
}
