// Thread list: the threads of a process, as the kernel lists them (/proc/PID/task). Raw system
// calls: nothing allocates or touches errno. Takes 4 KiB of stack.
#pragma once

#include <stdbool.h>

// Calls `see` for each until it returns false. One that comes or goes meanwhile is seen or not. 0,
// or -errno: there is no /proc here, or it may not be read.
int thread_list_read(long pid, bool (*see)(void *context, int tid), void *context);

// Whether the numbers in /proc are those that this process knows its threads by: 0; -ESRCH where it
// is of another PID namespace, -ENOENT where there is none.
int thread_list_check(void);

// Whether the kernel has nothing left of a thread but its name.
bool thread_list_has_ended(long pid, int tid);
