// expect: free(ACCUSED): double free of a block of 1024 bytes
// expect: free(ACCUSED): not a block: never handed out
#include "misuse.h"

int main(void)
{
    // The page of the first block holds more of them; the last was never handed out.
    char *volatile block = malloc(1000);
    uintptr_t page = (uintptr_t)block & ~(uintptr_t)4095;
    for (uintptr_t other = page; other < page + 4096; other += 1024)
        if (other != (uintptr_t)block) free(accused((void *)other));
    return 0;
}
