// Thread: knowing when a thread ends, and whether there are others.
#pragma once

#include <stdbool.h>

// Calls `callback` in every thread that called thread_watch_exit(), as it exits, among (usually
// after) its other thread-specific destructors. One callback per process; set before the first
// watch.
void thread_set_exit_callback(void (*callback)(void));

// Asks for the callback in this thread. May allocate through malloc (libc's table of keys): call it
// when malloc works for this thread already.
void thread_watch_exit(void);

// Whether libc knows of no thread but this one.
bool thread_is_alone(void);
