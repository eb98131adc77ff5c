// expect: free(ACCUSED): double free of a block of 64 bytes
#include "misuse.h"

int main(void)
{
    char *block = block_among_others(64);
    free(block);
    for (size_t i = 0; i < 1000; i++) block_of(100 + i * 7);
    free(accused(block));
    return 0;
}
