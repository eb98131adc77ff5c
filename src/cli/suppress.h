// Suppress: the suppressions that a command was given, those that mete knows itself, and what there
// is to say of them at the end. Belongs to the command line.
#pragma once

#include "profile/suppressions.h"

#include <stdbool.h>
#include <stdio.h>

struct suppress {
    struct suppressions list;
    bool leaves_known; // mete's own out
};

// Starts as {0}. Adds those of a file. 0, or an exit status after a message.
int suppress_file(struct suppress *self, const char *command, const char *path);

// Adds those that need not be asked for: mete's own, and the files that LSAN_OPTIONS names. The
// same.
int suppress_others(struct suppress *self, const char *command);

// Says which of the files' were of no use, and which hid more than they may.
void suppress_tell(const struct suppress *self, const char *command, FILE *out);

void suppress_deinit(struct suppress *self);
