// expect: free(ACCUSED): double free of a block of 8192 bytes
#include "misuse.h"

int main(void)
{
    char *volatile block = realloc(block_of(100), 8000);
    free(block);
    free(accused(block));
    return 0;
}
