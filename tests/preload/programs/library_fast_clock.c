// A clock that runs 2000 times faster, for all who ask by name: an hour takes two seconds.
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FACTOR 2000

int clock_gettime(clockid_t clock, struct timespec *time)
{
    static long long start[16]; // by clock
    long result = syscall(SYS_clock_gettime, clock, time);
    if (result != 0 || clock < 0 || clock >= 16) return (int)result;
    long long now = (long long)time->tv_sec * 1000000000 + time->tv_nsec;
    long long none = 0;
    // The first look is the beginning, whoever's it is.
    __atomic_compare_exchange_n(&start[clock], &none, now, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    long long first = __atomic_load_n(&start[clock], __ATOMIC_RELAXED);
    now = first + (now - first) * FACTOR;
    time->tv_sec = now / 1000000000;
    time->tv_nsec = now % 1000000000;
    return 0;
}
