// expect: free(ACCUSED): double free of a block of 64 bytes
// expect: free(ACCUSED): not from this heap
//
// The second line where the heap has forgotten what the free page was cut into.
#include "misuse.h"

int main(void)
{
    char *block = block_of(64);
    char *others[1000];
    for (int i = 0; i < 1000; i++) others[i] = block_of(64);
    free(block);
    for (int i = 0; i < 1000; i++) free(others[i]);
    malloc_trim(0);
    free(accused(block));
    return 0;
}
