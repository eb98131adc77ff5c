// expect: free(ACCUSED): double free of a block of 64 bytes
#include "misuse.h"

#include <signal.h>

int main(void)
{
    char *block = block_among_others(64);
    if (fork() == 0) {
        free(block);
        free(accused(block));
        return 0;
    }
    int status = 0;
    wait(&status);
    if (WIFSIGNALED(status)) raise(WTERMSIG(status));
    return 0;
}
