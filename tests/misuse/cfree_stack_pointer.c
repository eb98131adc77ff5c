// expect: cfree(ACCUSED): not from this heap
#include "misuse.h"

int main(void)
{
    void (*cfree)(void *) = function_named("cfree");
    _Alignas(16) char local[64] = {0};
    cfree(accused(local));
    return 0;
}
