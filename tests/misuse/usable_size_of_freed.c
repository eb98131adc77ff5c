// expect: malloc_usable_size(ACCUSED): use of a freed block of 64 bytes
#include "misuse.h"

int main(void)
{
    char *block = block_of(64);
    free(block);
    return malloc_usable_size(accused(block)) == 0;
}
