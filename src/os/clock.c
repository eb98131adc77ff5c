#include "os/clock.h"

#include "os/syscall.h"

#include <dlfcn.h>
#include <time.h>

static uint64_t milliseconds(const struct timespec *time)
{
    return (uint64_t)time->tv_sec * 1000 + (uint64_t)time->tv_nsec / 1000000;
}

static int (*get_time)(clockid_t, struct timespec *) = clock_gettime;

void clock_find(void)
{
    void *found = dlsym(RTLD_NEXT, "clock_gettime");
    if (found) *(void **)&get_time = found;
}

uint64_t clock_coarse_ms(void)
{
    struct timespec now = {0};
    (void)get_time(CLOCK_MONOTONIC_COARSE, &now); // vDSO: cannot fail with a known clock
    return milliseconds(&now);
}

uint64_t clock_coarse_ms_direct(void)
{
    struct timespec now = {0};
    (void)syscall_2(SYS_clock_gettime, CLOCK_MONOTONIC_COARSE, (long)&now);
    return milliseconds(&now);
}

void clock_sleep_ms(unsigned ms)
{
    struct timespec span = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    (void)syscall_2(SYS_nanosleep, (long)&span, 0); // cut short: the caller looks again anyway
}

uint64_t clock_real_ns(void)
{
    struct timespec now = {0};
    (void)get_time(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}
