// expect: free(ACCUSED): 16 bytes into a block of SIZE bytes at START
#include "misuse.h"

int main(void)
{
    char *block = described(memalign(4096, 4000));
    free(accused(block + 16));
    return 0;
}
