// Figures: the calls of libc's that report on the heap (mallinfo and its kin).
#pragma once

// The lines of malloc_stats() to fd 2.
void figures_print(void);
