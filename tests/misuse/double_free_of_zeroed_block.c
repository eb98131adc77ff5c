// expect: free(ACCUSED): double free of a block of SIZE bytes
#include "misuse.h"

int main(void)
{
    char *block = described(calloc(100, 10));
    free(block);
    free(accused(block));
    return 0;
}
