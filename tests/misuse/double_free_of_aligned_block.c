// expect: free(ACCUSED): double free of a block of SIZE bytes
#include "misuse.h"

int main(void)
{
    char *block = described(memalign(4096, 4000));
    free(block);
    free(accused(block));
    return 0;
}
