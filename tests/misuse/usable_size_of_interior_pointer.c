// expect: malloc_usable_size(ACCUSED): 16 bytes into a block of 64 bytes at START
#include "misuse.h"

int main(void)
{
    char *block = block_of(64);
    return malloc_usable_size(accused(block + 16)) == 0;
}
