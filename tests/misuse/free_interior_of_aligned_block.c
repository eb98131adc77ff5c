// expect: free(ACCUSED): 16 bytes into a block of 4096 bytes at START
#include "misuse.h"

int main(void)
{
    char *volatile block = memalign(4096, 4000);
    line_print("START", block);
    free(accused(block + 16));
    return 0;
}
