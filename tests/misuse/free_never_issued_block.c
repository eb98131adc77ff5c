// expect: free(ACCUSED): double free of a block of 64 bytes
// expect: free(ACCUSED): not a block: never handed out
#include "misuse.h"

int main(void)
{
    // The page of the first block holds 63 more, of which one was never handed out.
    uintptr_t block = (uintptr_t)block_of(64);
    uintptr_t other = block % 4096 < 2048 ? block + 640 : block - 640;
    free(accused((void *)other));
    return 0;
}
