// expect: free(ACCUSED): not from this heap
#include "misuse.h"

static _Alignas(16) _Thread_local char own[64];

int main(void)
{
    free(accused(own));
    return 0;
}
