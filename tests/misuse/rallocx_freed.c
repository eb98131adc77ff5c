// expect: rallocx(ACCUSED): use of a freed block of 64 bytes
#include "misuse.h"

int main(void)
{
    void *(*rallocx)(void *, size_t, int) = function_named("rallocx");
    char *block = block_of(64);
    free(block);
    return rallocx(accused(block), 100, 0) != NULL;
}
