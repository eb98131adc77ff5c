// Draft: a file that takes another's place only when it is whole. It has no name while it is
// written, where the file system can do that: whoever is killed meanwhile leaves nothing. Belongs
// to the command line.
#pragma once

#include <limits.h>
#include <stdbool.h>

struct draft {
    int fd;              // open for writing, mode 0600
    char path[PATH_MAX]; // beside its target
    bool has_name;
};

// Begins one in the folder of `target`. 0 or -errno.
int draft_begin(struct draft *self, const char *target);

// Gives it its name, draft.path, and closes it; the caller renames that. 0; or -errno, and it is
// gone.
int draft_finish(struct draft *self);

// Closes and removes it.
void draft_abandon(struct draft *self);

// Whether a file's name in a folder may be that of one which somebody left there.
bool draft_is_name(const char *name);
