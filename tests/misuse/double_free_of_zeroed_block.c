// expect: free(ACCUSED): double free of a block of 1024 bytes
#include "misuse.h"

int main(void)
{
    char *volatile block = calloc(100, 10);
    free(block);
    free(accused(block));
    return 0;
}
