// expect: realloc(ACCUSED): not from this heap
#include "misuse.h"

int main(void)
{
    _Alignas(16) char local[64] = {0};
    return realloc(accused(local), 100) != NULL;
}
