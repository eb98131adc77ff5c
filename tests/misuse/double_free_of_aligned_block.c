// expect: free(ACCUSED): double free of a block of 4096 bytes
#include "misuse.h"

int main(void)
{
    char *volatile block = memalign(4096, 4000);
    free(block);
    free(accused(block));
    return 0;
}
