// Brief thread: a short-lived thread that nobody notices, one at a time.
// Made by the kernel call alone: free() may run inside libc's own thread code with its locks held,
// where making a thread through libc would deadlock. So what runs in it must not use libc: it has
// no thread-local storage but a zeroed block, 16 KiB of stack, and every signal blocked.
//
// libc does not know of it, and the kernel does: what a process with a thread too many may not do,
// or would do without it (fork, setuid, unshare), wants it ended first.
#pragma once

#include "os/lock.h"

#include <stdbool.h>

// Allows them in this process. Notes under what seccomp filters it was started.
void brief_thread_allow(void);

// Forbids them for good: the process has put itself under a seccomp filter, which might take a new
// thread for an attack.
void brief_thread_forbid(void);

// Runs `work` once in a brief thread. False when there is one already or none can be made: also in
// a vforked child, whose threads end with it at any point, in a child of a clone() of the program's
// own, and where there are other seccomp filters than at the start.
bool brief_thread_run(void (*work)(void));

// Whether one is at it.
bool brief_thread_is_running(void);

// Asks it to end and waits until the kernel knows it no more. False when it waits for a lock that
// is held: by the caller's own thread, if the process has no other. It ends soon after it gets it.
bool brief_thread_end(void);

// Lets none come until as many calls let them come again.
void brief_thread_hold_off(void);
void brief_thread_let_come(void);

// In a child made by fork() it is gone, and the child may have its own. Other children find out by
// themselves that it is not there.
void brief_thread_forget(void);

// --- for what runs in it
// -------------------------------------------------------------------------

// Whether the calling thread is it.
bool brief_thread_is_me(void);

// Sleeps that long; sooner when it is asked to end.
void brief_thread_sleep_ms(unsigned ms);

// Whether it is asked to end.
bool brief_thread_must_end(void);

// lock_take(), so that brief_thread_end() knows what it waits for.
void brief_thread_take(struct lock *lock);
