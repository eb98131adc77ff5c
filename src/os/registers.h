// Registers: those that a walk up the stack begins with, and how it reads a stack.
#pragma once

#include "base/attributes.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/auxv.h>

struct registers {
    uintptr_t pc; // a return address
    uintptr_t sp; // once it has been returned to; it was stored in the word below
    uintptr_t bp;
};

// A word of a stack. By hand, because compilers may assume that they know what their functions'
// frames hold, and sanitizers that nobody but them looks between locals.
static ALWAYS_INLINE uintptr_t registers_load(uintptr_t address)
{
    uintptr_t word;
    __asm__("mov %1, %0" : "=r"(word) : "m"(*(const uintptr_t *)address));
    return word;
}

// Linux says whether programs may (since 5.9, where the processor can): AT_HWCAP2.
static inline bool registers_may_read_gs(void)
{
    enum { FSGSBASE = 1 << 1 };
    return (getauxval(AT_HWCAP2) & FSGSBASE) != 0;
}

static ALWAYS_INLINE uintptr_t registers_gs(void)
{
    uintptr_t base;
    __asm__ volatile("rdgsbase %0" : "=r"(base));
    return base;
}

// What a call preserves, as it is where this is expanded; and where the thread's own is. The last
// of the words is what GS points at, where programs may ask for that themselves, else 0.
enum { REGISTERS_PRESERVED = 7 };
struct preserved_registers {
    uintptr_t sp;
    uintptr_t block; // libc's thread block
    uintptr_t words[REGISTERS_PRESERVED];
};

static ALWAYS_INLINE struct preserved_registers registers_preserved(void)
{
    struct preserved_registers self;
    __asm__ volatile("mov %%rsp, %0\n\t"
                     "mov %%fs:0x10, %%rax\n\t" // its own address (ABI)
                     "mov %%rax, %1\n\t"
                     "mov %%rbx, %2\n\t"
                     "mov %%rbp, %3\n\t"
                     "mov %%r12, %4\n\t"
                     "mov %%r13, %5\n\t"
                     "mov %%r14, %6\n\t"
                     "mov %%r15, %7"
                     : "=m"(self.sp), "=m"(self.block), "=m"(self.words[0]), "=m"(self.words[1]),
                       "=m"(self.words[2]), "=m"(self.words[3]), "=m"(self.words[4]),
                       "=m"(self.words[5])
                     :
                     : "rax");
    self.words[6] = registers_may_read_gs() ? registers_gs() : 0;
    return self;
}

// What they will be when the function that this is expanded in has returned. That keeps a frame
// pointer for it, which is where the ABI says; it must not become part of its caller.
static ALWAYS_INLINE struct registers registers_of_caller(void)
{
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
    return (struct registers){
        .pc = registers_load(frame + sizeof(uintptr_t)),
        .sp = frame + 2 * sizeof(uintptr_t),
        .bp = registers_load(frame),
    };
}
