#include "os/traced_thread.h"

#include "os/clock.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

enum {
    POLL_NS = 20 * 1000,  // between two looks at whether it has stopped
    WAIT_MS_MAX = 2000,   // the kernel may hold one that it does not let go for hours
    POLLS_LEAST = 1000,   // however long that takes: all of us may have been frozen meanwhile
    STEP_POLLS_MAX = 200, // looks at whether a step is made, before there is time to sleep
};

bool traced_has_stopped(struct stopped_thread *thread)
{
    int status = 0;
    long waited = syscall_4(SYS_wait4, thread->tid, (long)&status, __WALL | WNOHANG, 0);
    if (waited == thread->tid && WIFSTOPPED(status)) {
        // By a signal that was on its way to it, or because we asked.
        thread->signal = status >> 16 ? 0 : WSTOPSIG(status);
        return true;
    }
    if (waited != thread->tid && waited != -ECHILD) return false;
    thread->is_gone = true;
    return true;
}

static void rest(void)
{
    const struct timespec moment = {.tv_nsec = POLL_NS};
    (void)syscall_2(SYS_nanosleep, (long)&moment, 0);
}

bool traced_wait(struct stopped_thread *thread)
{
    const uint64_t end_ms = clock_coarse_ms_direct() + WAIT_MS_MAX;
    for (int i = 0; i <= POLLS_LEAST || clock_coarse_ms_direct() < end_ms; i++) {
        if (traced_has_stopped(thread)) return true;
        if (i > 10) rest();
    }
    return false;
}

bool traced_read(struct stopped_thread *thread, struct user_regs_struct *registers)
{
    struct iovec piece = {.iov_base = registers, .iov_len = sizeof *registers};
    if (traced(PTRACE_GETREGSET, thread->tid, NT_PRSTATUS, (unsigned long)&piece) != 0)
        return false;
    thread->pc = registers->rip;
    thread->sp = registers->rsp;
    thread->block = registers->fs_base;
    return true;
}

// Takes the signal by which the kernel says that a step is made: it is not the program's.
static void forget_step(struct stopped_thread *thread)
{
    siginfo_t info;
    if (thread->is_gone || thread->signal != SIGTRAP) return;
    if (traced(PTRACE_GETSIGINFO, thread->tid, 0, (unsigned long)&info) != 0) return;
    if (info.si_code == TRAP_TRACE) thread->signal = 0;
}

// Whether the kernel has yet to say that a step is made.
static bool is_step_untold(const struct stopped_thread *thread)
{
    siginfo_t infos[8];
    struct __ptrace_peeksiginfo_args which = {0, 0, sizeof infos / sizeof *infos};
    long count =
        traced(PTRACE_PEEKSIGINFO, thread->tid, (unsigned long)&which, (unsigned long)infos);
    for (long i = 0; i < count; i++) {
        if (infos[i].si_signo == SIGTRAP && infos[i].si_code == TRAP_TRACE) return true;
    }
    return false;
}

enum traced_step traced_step(struct stopped_thread *thread)
{
    (void)traced(PTRACE_SINGLESTEP, thread->tid, 0, 0);
    bool is_made = false;
    for (int i = 0; !is_made && i < STEP_POLLS_MAX; i++) {
        is_made = traced_has_stopped(thread);
        if (!is_made) (void)syscall_2(SYS_sched_yield, 0, 0);
    }
    is_made = is_made || traced_wait(thread);
    if (!is_made) {
        // It must not go on so when we have gone: nobody would take the signal of its step.
        (void)traced(PTRACE_INTERRUPT, thread->tid, 0, 0);
        if (!traced_wait(thread)) return TRACED_STEP_LOST;
        if (is_step_untold(thread)) {
            (void)traced(PTRACE_CONT, thread->tid, 0, 0);
            if (!traced_wait(thread)) return TRACED_STEP_LOST;
        }
    }
    forget_step(thread);
    return is_made ? TRACED_STEP_MADE : TRACED_STEP_GIVEN_UP;
}
