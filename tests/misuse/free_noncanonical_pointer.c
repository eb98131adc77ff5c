// expect: free(ACCUSED): not from this heap
#include "misuse.h"

int main(void)
{
    free(accused((void *)0x8000123456789ab0));
    return 0;
}
