// Kernel words: pointers that a program has given to the kernel to keep, and may have nowhere else:
// what stands beside each descriptor that an epoll instance watches (epoll_event.data), and what a
// timer sends (sigev_value). As far as /proc tells: io_uring and asynchronous I/O keep theirs to
// themselves. Raw system calls: nothing allocates or touches errno. Takes 12 KiB of stack.
#pragma once

#include <stdint.h>

// Calls `see` for each.
void kernel_words_read(void (*see)(void *context, uintptr_t word), void *context);
