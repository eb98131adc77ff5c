// Own stack: runs a function of ours on a stack of its own, with every signal blocked. The
// program's may be tiny, and what is left on it is the program's.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// False: there is no memory for it, and nothing ran. Async-signal-safe; one at a time per thread.
bool own_stack_run(void (*work)(void *context), void *context);
