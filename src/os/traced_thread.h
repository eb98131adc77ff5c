// Traced thread: one thread of this process that ptrace holds, as the task that holds it sees it
// (stopped_threads.h).
#pragma once

#include "os/stopped_threads.h"
#include "os/syscall.h"

#include <stdbool.h>
#include <sys/user.h>

static inline long traced(long request, int tid, unsigned long address, unsigned long data)
{
    return syscall_4(SYS_ptrace, request, tid, (long)address, (long)data);
}

// Whether it has stopped, or has ended.
bool traced_has_stopped(struct stopped_thread *thread);

// Waits until a thread that was asked has stopped, or has ended. False: it does not.
bool traced_wait(struct stopped_thread *thread);

// Where a thread that has stopped is.
bool traced_read(struct stopped_thread *thread, struct user_regs_struct *registers);

// How a step ended.
enum traced_step {
    TRACED_STEP_MADE,
    TRACED_STEP_GIVEN_UP, // it has stopped before its end: another thread may have to do something
    TRACED_STEP_LOST,     // it would not stop again
};

// Lets one that has stopped, and to which no signal is to be delivered, go on by one instruction.
enum traced_step traced_step(struct stopped_thread *thread);
