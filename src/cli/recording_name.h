// Recording name: under which path a recording ends, from what -o says.
// %p is the pid, %n the program, %h the host; a number tells those apart that would have the same
// name: 2 for the second image of a pid, or for the second process. Belongs to the command line.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define RECORDING_NAME_DEFAULT "%n.%p.mete"
#define RECORDING_NAME_LETTERS "pnh"

struct recording_name {
    const char *program;
    const char *host;
    pid_t pid;
    unsigned number; // 1 does not show
};

// Writes the path; a pattern that ends in '/' is a folder, in which names are the usual ones. False
// when it does not fit.
bool recording_name_write(const struct recording_name *self, const char *pattern, char *path,
                          size_t size);
