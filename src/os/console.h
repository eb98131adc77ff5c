// Console: the few lines that go to fd 2 of somebody else's process.
#pragma once

#include <stddef.h>

// Writes all of `bytes` to fd 2, through short writes and signals; gives up silently when nobody
// can read it. No cancellation point and no errno, unlike write(): malloc_stats() may be called
// anywhere.
void console_write(const char *bytes, size_t length);
