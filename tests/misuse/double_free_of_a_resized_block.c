// expect: free(ACCUSED): double free of a block of SIZE bytes
#include "misuse.h"

int main(void)
{
    char *block = described(realloc(block_of(100), 8000));
    free(block);
    free(accused(block));
    return 0;
}
