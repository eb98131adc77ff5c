#include "os/interrupted_call.h"

#include "os/syscall.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

// Those that the kernel does not begin again by itself (signal(7)).
static bool must_be_begun_again(const struct user_regs_struct *registers)
{
    if ((long)registers->rax != -EINTR) return false;
    switch ((long)registers->orig_rax) {
    case SYS_epoll_wait:
    case SYS_epoll_pwait:
    case SYS_epoll_pwait2:
    case SYS_rt_sigtimedwait:
    case SYS_semop:
    case SYS_semtimedop:
    case SYS_io_getevents: return true;
    // Sockets with a time limit (SO_RCVTIMEO, SO_SNDTIMEO).
    case SYS_read:
    case SYS_readv:
    case SYS_recvfrom:
    case SYS_recvmsg:
    case SYS_accept:
    case SYS_accept4:
    case SYS_write:
    case SYS_writev:
    case SYS_sendto:
    case SYS_sendmsg:
    case SYS_connect: return true;
    default: return false;
    }
}

void interrupted_call_begin_again(int tid)
{
    enum { RESTART_WITHOUT_HANDLER = 514 }; // ERESTARTNOHAND, in the kernel's own headers
    struct user_regs_struct registers;
    struct iovec piece = {.iov_base = &registers, .iov_len = sizeof registers};
    if (syscall_4(SYS_ptrace, PTRACE_GETREGSET, tid, NT_PRSTATUS, (long)&piece) != 0) return;
    if (!must_be_begun_again(&registers)) return;
    registers.rax = (unsigned long long)-RESTART_WITHOUT_HANDLER;
    (void)syscall_4(SYS_ptrace, PTRACE_SETREGSET, tid, NT_PRSTATUS, (long)&piece);
}
