// expect: free(ACCUSED): not from this heap
#include "misuse.h"

int main(void)
{
    void *mapping = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(mapping, 65536);
    free(accused(mapping));
    return 0;
}
