// Recordings keep: takes the recordings of a run from their live folder to their names, and says
// where they are when that is elsewhere. Belongs to the command line.
#pragma once

#include "cli/live_folder.h"
#include "cli/recordings.h"
#include "cli/run_child.h"

#include <stdio.h>

struct keep_plan {
    const char *pattern; // as -o takes it
    const char *program; // what to call a program that its recording does not name
    bool keeps_children; // else all but the main program's are removed
    const char *host;
    bool has_names;              // whether frames are named
    bool is_late;                // an earlier run's: nothing is replaced, and little is said
    FILE *out;                   // where messages go; NULL: nowhere
    const struct child_end *end; // of the process that the command became
    uint64_t run;                // what tells this run from others
};

// Moves those whose processes have ended; their `path` is then where they are. `main` is the index
// of the main program's, or the count if there is none. Then the folders go, of those that are
// open, unless something stays in them; what stayed for want of a place is noted there as told.
void recordings_keep(struct recordings *self, size_t main, const struct keep_plan *plan,
                     struct live_folder *folders, size_t count);
