// expect: free(ACCUSED): not from this heap
#include "misuse.h"

int main(void)
{
    _Alignas(16) char local[64] = {0};
    free(accused(local));
    return 0;
}
