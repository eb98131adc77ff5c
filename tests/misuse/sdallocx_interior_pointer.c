// expect: sdallocx(ACCUSED): 16 bytes into a block of 64 bytes at START
#include "misuse.h"

int main(void)
{
    void (*sdallocx)(void *, size_t, int) = function_named("sdallocx");
    char *block = block_of(64);
    sdallocx(accused(block + 16), 64, 0);
    return 0;
}
