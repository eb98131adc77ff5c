// Directory: the names in a folder that is open. Raw system calls: nothing allocates or touches
// errno. Takes 4 KiB of stack.
#pragma once

#include <stdbool.h>

// Calls `see` for each until it returns false. 0 or -errno.
int directory_read(int folder, bool (*see)(void *context, const char *name), void *context);
