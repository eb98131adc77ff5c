// expect: dallocx(ACCUSED): double free of a block of 64 bytes
// expect: free(ACCUSED): double free of a block of 64 bytes
#include "misuse.h"

int main(void)
{
    void (*dallocx_found)(void *, int) = NULL;
    *(void **)&dallocx_found = dlsym(RTLD_DEFAULT, "dallocx");
    if (!dallocx_found) return 3;
    char *block = block_of(64);
    free(block);
    dallocx_found(accused(block), 0);
    return 0;
}
