// A clock that allocates, for whoever finds it before libc's.
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *time)
{
    void *volatile block = malloc(7);
    free(block);
    return (int)syscall(SYS_clock_gettime, clock, time);
}
