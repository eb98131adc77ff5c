// expect: rallocx(ACCUSED): 16 bytes into a block of 64 bytes at START
#include "misuse.h"

int main(void)
{
    void *(*rallocx)(void *, size_t, int) = function_named("rallocx");
    char *block = block_of(64);
    return rallocx(accused(block + 16), 100, 0) != NULL;
}
