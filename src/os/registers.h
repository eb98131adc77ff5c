// Registers: those that a walk up the stack begins with, and how it reads a stack.
#pragma once

#include "base/attributes.h"

#include <stdint.h>

struct registers {
    uintptr_t pc; // the address after an instruction that changes nothing, like a return address
    uintptr_t sp;
    uintptr_t bp;
};

// Those of the function that this is expanded in, here.
static ALWAYS_INLINE struct registers registers_here(void)
{
    struct registers here;
    __asm__ volatile("lea 0(%%rip), %0\n\t"
                     "mov %%rsp, %1\n\t"
                     "mov %%rbp, %2"
                     : "=&r"(here.pc), "=&r"(here.sp), "=&r"(here.bp));
    return here;
}

// A word of a stack. By hand, because compilers may assume that they know what their functions'
// frames hold, and sanitizers that nobody but them looks between locals.
static ALWAYS_INLINE uintptr_t registers_load(uintptr_t address)
{
    uintptr_t word;
    __asm__("mov %1, %0" : "=r"(word) : "m"(*(const uintptr_t *)address));
    return word;
}
