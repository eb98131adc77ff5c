// Environment: what must stand in a program's environment for mete to serve it: LD_PRELOAD with the
// preload object in front of what is there, METE with the settings of the command line behind what
// is there, so that these have the last word. Belongs to the command line.
#pragma once

#include "cli/options.h"

#include <stdbool.h>
#include <stddef.h>

// Settings as they are gathered. Starts as {0}.
struct environment_settings {
    char text[8192]; // "key=value,key=value", encoded
    size_t len;
};

// Adds a setting that a command was given as an option, in its raw form. 0, or an exit status after
// a message.
int environment_take(struct environment_settings *self, const char *command,
                     const struct option *option, const char *value);

// The same for a setting of the command's own making. False when it does not fit.
bool environment_add(struct environment_settings *self, const char *key, const char *value);

struct environment {
    char *object;   // the path of the preload object
    char *preload;  // the value of LD_PRELOAD
    char *settings; // the value of METE, possibly empty
};

// The preload object's name, and that of a link to it.
#define ENVIRONMENT_LINK "libmete-preload.so"

// 0, or an exit status after a message; to be released either way. The loader can be told of no
// path with a space or colon: then a link to the object is made in `link_folder` (NULL: nowhere),
// which the caller removes.
int environment_make(struct environment *self, const char *command,
                     const struct environment_settings *settings, const char *link_folder);
void environment_deinit(struct environment *self);
