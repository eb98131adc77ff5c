// Birthmark: tells the process that began the recording, and whoever shares its memory (vfork),
// from a forked child, by memory that the kernel clears in a child. Never by the pid.
#pragma once

#include "base/attributes.h"
#include "os/lock.h"

#include <stdbool.h>

struct birthmark {
    volatile char *word; // NULL: there is no recording
    struct lock *lock;   // in the same page: of whoever begins the child's
};
extern struct birthmark birthmark;

// False: no memory.
bool birthmark_begin(void);

// Whether the process has it: else it is a child that has not begun its recording.
static ALWAYS_INLINE bool birthmark_is_set(void)
{
    return *birthmark.word != 0;
}

static inline void birthmark_set(void)
{
    *birthmark.word = 1;
}
