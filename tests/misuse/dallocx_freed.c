// expect: dallocx(ACCUSED): double free of a block of 64 bytes
#include "misuse.h"

int main(void)
{
    void (*dallocx)(void *, int) = function_named("dallocx");
    char *block = block_of(64);
    dallocx(block, 0);
    dallocx(accused(block), 0);
    return 0;
}
