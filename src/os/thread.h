// Thread: knowing when a thread ends, and making one that nobody notices.
#pragma once

#include <stdbool.h>

// Calls `callback` in every thread that called thread_watch_exit(), as it exits, among (usually
// after) its other thread-specific destructors. One callback per process; set before the first
// watch.
void thread_set_exit_callback(void (*callback)(void));

// Asks for the callback in this thread. May allocate through malloc (libc's table of keys): call it
// when malloc works for this thread already. Again after the callback ran: it runs once more.
void thread_watch_exit(void);

// Runs `work` once in a short-lived thread with every signal blocked. False when there is one
// already or none could be made. Made by the kernel call alone: free() may run inside libc's own
// thread code with its locks held, where making a thread through libc would deadlock. So `work`
// must not use libc: it has no thread-local storage but a zeroed block and 16 KiB of stack.
bool thread_run_brief(void (*work)(void));

// Whether libc knows of no thread but this one.
bool thread_is_alone(void);

// Whether a brief thread is at it.
bool thread_brief_is_running(void);

// In a forked child the brief thread is gone.
void thread_forget_brief(void);
