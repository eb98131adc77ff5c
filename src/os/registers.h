// Registers: those that a walk up the stack begins with, and how it reads a stack.
#pragma once

#include "base/attributes.h"

#include <stdint.h>

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

// What a call preserves, as it is where this is expanded; and where the thread's own is.
enum { REGISTERS_PRESERVED = 6 };
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
