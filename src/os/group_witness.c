#include "os/group_witness.h"

#include "os/syscall.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STACK_SIZE = 16384 };

static _Alignas(64) char stacks[2][STACK_SIZE]; // one is left while the next begins
static pid_t witnessed;

// In the witness: its memory is ours, so libc, which has an errno, is not for it.
static int be_there(void *nothing)
{
    (void)nothing;
    (void)syscall_2(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
    (void)syscall_2(SYS_prctl, PR_SET_NAME, (long)"mete-witness");
    // Who ended before that was said has left us to another.
    while (syscall_2(SYS_getppid, 0, 0) == witnessed) (void)syscall_4(SYS_ppoll, 0, 0, 0, 0);
    (void)syscall_2(SYS_exit_group, 0, 0);
    return 0;
}

static void begin(struct group_witness *self)
{
    witnessed = getpid();
    // No signal when it ends: who waits for children does not wait for this one.
    char *stack_end = stacks[self->number++ % 2] + STACK_SIZE;
    const pid_t pid = clone(be_there, stack_end, CLONE_VM, NULL);
    self->pid = pid > 0 ? pid : 0;
}

void group_witness_begin(struct group_witness *self)
{
    *self = (struct group_witness){0};
    begin(self);
}

static void end(pid_t pid)
{
    if (pid == 0) return;
    (void)kill(pid, SIGKILL);
    while (waitpid(pid, NULL, (int)__WCLONE) < 0 && errno == EINTR) continue;
}

void group_witness_end(struct group_witness *self)
{
    end(self->pid);
    self->pid = 0;
}

// The signals that wait for a process, as bits from 0 for the first on.
static uint64_t pending(pid_t pid)
{
    char path[64];
    char line[256];
    unsigned long long bits = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *status = fopen(path, "re");
    while (status && fgets(line, sizeof line, status)) {
        if (sscanf(line, "ShdPnd: %llx", &bits) == 1) break;
    }
    if (status) (void)fclose(status);
    return bits;
}

// Another witness, which nothing waits for.
static void replace(struct group_witness *self, uint64_t taken)
{
    const pid_t before = self->pid;
    begin(self);
    // In this order: what has come since the younger one is there has come to that one first.
    const uint64_t all = pending(before) & ~taken;
    self->seen |= self->pid != 0 ? all & ~pending(self->pid) : all;
    end(before);
}

bool group_witness_saw(struct group_witness *self, int signal)
{
    enum { LOOKS = 10 };
    static const struct timespec moment = {.tv_nsec = 1000000};
    const uint64_t bit = UINT64_C(1) << (signal - 1);
    if (self->seen & bit) {
        self->seen &= ~bit;
        return true;
    }
    for (int i = 0; self->pid != 0 && i < LOOKS; i++) {
        if (i > 0) (void)nanosleep(&moment, NULL);
        if (!(pending(self->pid) & bit)) continue;
        replace(self, bit);
        return true;
    }
    return false;
}
