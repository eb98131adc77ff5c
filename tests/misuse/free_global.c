// expect: free(ACCUSED): not from this heap
#include "misuse.h"

static _Alignas(16) char global[4096];

int main(void)
{
    free(accused(global));
    return 0;
}
