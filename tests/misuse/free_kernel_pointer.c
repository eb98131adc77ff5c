// expect: free(ACCUSED): not from this heap
#include "misuse.h"

int main(void)
{
    free(accused((void *)0xffffffff81000000));
    return 0;
}
