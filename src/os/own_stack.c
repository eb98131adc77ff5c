#include "os/own_stack.h"

#include "os/own_pages.h"
#include "os/syscall.h"

#include <signal.h>
#include <stdint.h>

enum { STACK_SIZE = 256 * 1024 };

// The frame pointer stays, so that debuggers find the way back. (No vector registers are in use:
// what runs inside a user's process is compiled without.)
static void call_on(char *stack_end, void (*work)(void *context), void *context)
{
    register void (*r12)(void *) __asm__("r12") = work;
    register char *r13 __asm__("r13") = stack_end;
    __asm__ volatile("xchg %%rsp, %[stack]\n\t"
                     "call *%[work]\n\t"
                     "mov %[stack], %%rsp"
                     : [stack] "+r"(r13), "+D"(context)
                     : [work] "r"(r12)
                     : "rax", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory", "cc");
}

bool own_stack_run(void (*work)(void *context), void *context)
{
    char *stack = own_pages_map(STACK_SIZE);
    if (!stack) return false;
    uint64_t all = ~UINT64_C(0);
    uint64_t old = 0;
    (void)syscall_4(SYS_rt_sigprocmask, SIG_BLOCK, (long)&all, (long)&old, sizeof all);
    call_on(stack + STACK_SIZE, work, context);
    (void)syscall_4(SYS_rt_sigprocmask, SIG_SETMASK, (long)&old, 0, sizeof old);
    own_pages_unmap(stack, STACK_SIZE);
    return true;
}
