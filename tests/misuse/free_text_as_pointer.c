// expect: free(ACCUSED): not from this heap
#include "misuse.h"

int main(void)
{
    free(accused((void *)0x6f77206f6c6c6568)); // "hello wo", as after an overflow
    return 0;
}
