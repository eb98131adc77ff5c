// Recording embed: makes a finished recording whole: what its code is called, how its process
// ended, and not a byte too many. Belongs to the command line, which joins symbols and record here.
#pragma once

#include "cli/embedded.h"
#include "record/process_end.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Keeps files of names from one recording to the next: the processes of a run share most modules.
struct embedder;

struct embedder *embedder_create(void); // NULL for want of memory
void embedder_destroy(struct embedder *self);

struct embed_plan {
    bool has_names;    // frames are named; those that nobody knows keep the names they had
    bool is_over;      // its process has ended, as far as the caller could find out
    uint64_t run;      // where it is over: what tells its run from others
    pid_t command_pid; // of that
    const struct process_end *end; // NULL: unknown
};

// Reads the one at `path` and makes it whole. 0, to be closed, or -errno; -EBADMSG when it cannot
// be read as one, -ENODATA when something is missing from it or contradicts the rest: written anew
// it would look as if it were whole; -EBUSY when a process still writes it, which would go on in a
// file without a name.
int embedder_make(struct embedder *self, const char *path, const struct embed_plan *plan,
                  struct embedded **made_out);

// Writes the recording that is open for reading to `target`, in place of what is there, cut to its
// size and otherwise as it is. The same errors.
int recording_compact(int fd, const char *target);
