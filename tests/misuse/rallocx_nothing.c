// expect: rallocx(ACCUSED): not from this heap
#include "misuse.h"

int main(void)
{
    void *(*rallocx)(void *, size_t, int) = function_named("rallocx");
    return rallocx(accused(NULL), 100, 0) != NULL;
}
