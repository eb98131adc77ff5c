// Clone onto: a thread or child that shares our memory, on a stack of its own, made without libc.
#pragma once

#include "os/syscall.h"

#include <stdint.h>

// The new one calls `work`, which returns when it has nothing more to do, on the stack that ends at
// `stack_end`; it never comes back into our frame. The kernel writes its id to `id`, and 0 there
// when it is gone, as far as the flags ask for that; `thread_block` counts with CLONE_SETTLS. Its
// id, or -errno.
static inline long clone_onto(long flags, char *stack_end, _Atomic uint32_t *id, void *thread_block,
                              void (*work)(void))
{
    long result;
    register _Atomic uint32_t *r10 __asm__("r10") = id;
    register void *r8 __asm__("r8") = thread_block;
    register void (*r12)(void) __asm__("r12") = work;
    __asm__ volatile("syscall\n\t"
                     "test %%eax, %%eax\n\t"
                     "jnz 1f\n\t"
                     "xor %%ebp, %%ebp\n\t" // outermost frame, for unwinders
                     "call *%%r12\n\t"
                     "xor %%edi, %%edi\n\t"
                     "mov %[exit], %%eax\n\t"
                     "syscall\n\t"
                     "hlt\n"
                     "1:"
                     : "=a"(result)
                     : "a"((long)SYS_clone), "D"(flags), "S"(stack_end), "d"(id), "r"(r10), "r"(r8),
                       "r"(r12), [exit] "i"(SYS_exit)
                     : "rcx", "r11", "memory");
    return result;
}
