// expect: free(ACCUSED): not from this heap
#include "misuse.h"

int main(void)
{
    free(accused((void *)(uintptr_t)main));
    return 0;
}
