// expect: free_sized(ACCUSED): double free of a block of 64 bytes
// expect: free(ACCUSED): double free of a block of 64 bytes
#include "misuse.h"

int main(void)
{
    void (*free_sized_found)(void *, size_t) = NULL;
    *(void **)&free_sized_found = dlsym(RTLD_DEFAULT, "free_sized");
    if (!free_sized_found) return 3;
    char *block = block_of(64);
    free(block);
    free_sized_found(accused(block), 64);
    return 0;
}
