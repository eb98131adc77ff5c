// Skips: the patterns of --skip: functions or modules that only allocate for others.
#pragma once

#include <stddef.h>

enum { SKIPS_MAX = 64 }; // on one command line

// Zero is an empty one. The patterns are the caller's.
struct skips {
    const char *patterns[SKIPS_MAX];
    size_t count;
};

// 0, or a status after a message in the command's name.
int skips_add(struct skips *self, const char *command, const char *pattern);
