// expect: realloc(ACCUSED): 16 bytes into a block of 64 bytes at START
#include "misuse.h"

int main(void)
{
    char *block = block_of(64);
    return realloc(accused(block + 16), 100) != NULL;
}
