// Relatives: the recordings beside one that are of the same run, as `mete run` has noted it; where
// none has, by who started whom, and when, on which machine. Belongs to the command line.
#pragma once

#include "cli/recordings.h"

#include <stddef.h>
#include <sys/types.h>

// Finds them, and the one at `path` itself, in its folder: sorted by pid and image, to be released
// with recordings_deinit(). Names that end in .mete, or begin as that one does, are looked at, some
// thousands at most. *root_out: the pid of the process that started all others, as far as its
// recording is there. 0; -ENOENT where `path` is no recording or has none of its own process;
// another -errno.
int relatives_find(const char *path, struct recordings *relatives_out, pid_t *root_out);

// Leaves only what `index`'s process and its descendants left; the new index of that one.
size_t relatives_narrow(struct recordings *self, size_t index);

// The index of the recording at `path`; the count where it is none of them.
size_t relatives_index(const struct recordings *self, const char *path);
