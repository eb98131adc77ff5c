// expect: sallocx(ACCUSED): not from this heap
#include "misuse.h"

int main(void)
{
    size_t (*sallocx)(const void *, int) = function_named("sallocx");
    _Alignas(16) char local[64] = {0};
    return sallocx(accused(local), 0) == 0;
}
