// A program with a clock of its own, as libfaketime has, that allocates: whoever calls it must be a
// thread that libc knows.
#include "program.h"

#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static __thread int calls;

int clock_gettime(clockid_t clock, struct timespec *time)
{
    char *text = malloc(64);
    strcpy(text, "asked");
    calls += text[0] == 'a';
    free(text);
    return (int)syscall(SYS_clock_gettime, clock, time);
}

int main(void)
{
    static char *blocks[64];
    for (int i = 0; i < 64; i++) {
        blocks[i] = malloc(1 << 20);
        memset(blocks[i], 1, 1 << 20);
    }
    for (int i = 0; i < 64; i++) free(blocks[i]);
    usleep(1000 * 1000); // the helper looks at the clock meanwhile
    return 0;
}
