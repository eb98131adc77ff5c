// expect: sallocx(ACCUSED): use of a freed block of 64 bytes
#include "misuse.h"

int main(void)
{
    size_t (*sallocx)(const void *, int) = function_named("sallocx");
    char *block = block_of(64);
    free(block);
    return sallocx(accused(block), 0) == 0;
}
