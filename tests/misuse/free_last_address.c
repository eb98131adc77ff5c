// expect: free(ACCUSED): not from this heap
#include "misuse.h"

int main(void)
{
    free(accused((void *)UINTPTR_MAX));
    return 0;
}
