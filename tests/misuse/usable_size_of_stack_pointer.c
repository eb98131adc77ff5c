// expect: malloc_usable_size(ACCUSED): not from this heap
#include "misuse.h"

int main(void)
{
    _Alignas(16) char local[64] = {0};
    return malloc_usable_size(accused(local)) == 0;
}
