// Own code: the module that mete's code in this process is part of, which is no part of the
// program's stacks, and whose data is none of the program's. Set once; read by anyone.
#pragma once

#include "base/attributes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct own_code {
    uintptr_t start;
    size_t size; // 0: not known, nothing is
};
extern struct own_code own_code;

// Finds it out. Tests say what shall count as such.
void own_code_find(void);
void own_code_set(uintptr_t start, uintptr_t end);

static ALWAYS_INLINE bool own_code_holds(uintptr_t address)
{
    return address - own_code.start < own_code.size;
}
