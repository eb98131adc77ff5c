// expect: xallocx(ACCUSED): 16 bytes into a block of 64 bytes at START
#include "misuse.h"

int main(void)
{
    size_t (*xallocx)(void *, size_t, size_t, int) = function_named("xallocx");
    char *block = block_of(64);
    return xallocx(accused(block + 16), 64, 0, 0) == 0;
}
