// Syscall: the kernel entered directly, for the os room alone.
// libc's wrappers set errno and may be cancellation points or be replaced by the user's program;
// these return a result or -errno and touch nothing else.
#pragma once

#include <sys/syscall.h>

#if !defined(__x86_64__)
#error "mete runs on Linux x86-64; another architecture needs its own os/syscall.h"
#endif

static inline long syscall_6(long number, long a, long b, long c, long d, long e, long f)
{
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static inline long syscall_4(long number, long a, long b, long c, long d)
{
    return syscall_6(number, a, b, c, d, 0, 0);
}

static inline long syscall_2(long number, long a, long b)
{
    return syscall_6(number, a, b, 0, 0, 0, 0);
}
