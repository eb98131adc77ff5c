// expect: xallocx(ACCUSED): use of a freed block of SIZE bytes
#include "misuse.h"

int main(void)
{
    size_t (*xallocx)(void *, size_t, size_t, int) = function_named("xallocx");
    char *block = block_of(100000);
    free(block);
    return xallocx(accused(block), 100000, 0, 0) == 0;
}
