// expect: free_aligned_sized(ACCUSED): double free of a block of SIZE bytes
#include "misuse.h"

int main(void)
{
    void (*free_aligned_sized)(void *, size_t, size_t) = function_named("free_aligned_sized");
    char *block = described(memalign(4096, 100));
    free(block);
    free_aligned_sized(accused(block), 4096, 100);
    return 0;
}
