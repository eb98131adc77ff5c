// expect: free_sized(ACCUSED): double free of a block of 64 bytes
#include "misuse.h"

int main(void)
{
    void (*free_sized)(void *, size_t) = function_named("free_sized");
    char *block = block_of(64);
    free_sized(block, 64);
    free_sized(accused(block), 64);
    return 0;
}
