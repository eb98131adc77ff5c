// Clock: coarse time for ageing decisions, without errno.
#pragma once

#include <stdint.h>

// Looks for libc's function behind this object: a program may have put one of its own in its place,
// which allocates, or tells another time.
void clock_find(void);

// Milliseconds since some fixed moment, within a scheduler tick (1–4 ms); never goes back.
uint64_t clock_coarse_ms(void);

// The same by the kernel's call, for a thread that libc does not know: a program may put a function
// of its own in place of libc's.
uint64_t clock_coarse_ms_direct(void);

// Sleeps that long unless a signal ends it early.
void clock_sleep_ms(unsigned ms);

// Nanoseconds since 1970, as the calendar has them.
uint64_t clock_real_ns(void);
