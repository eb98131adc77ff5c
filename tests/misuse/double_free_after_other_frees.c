// expect: free(ACCUSED): double free of a block of 64 bytes
#include "misuse.h"

int main(void)
{
    char *block = block_of(64);
    char *others[100];
    for (int i = 0; i < 100; i++) others[i] = block_of(64);
    free(block);
    for (int i = 0; i < 100; i += 2) free(others[i]); // some stay, or there were no span to ask
    free(accused(block));
    return 0;
}
