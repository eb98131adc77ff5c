// Tree: the recordings of a program and of what it started, opened for a report. Belongs to the
// command line.
#pragma once

#include "cli/embedded.h"
#include "record/process_end.h"
#include "report/report.h"

#include <stdbool.h>
#include <stddef.h>

struct tree {
    struct report_tree report; // its subjects are ours
    struct report_subject *subjects;
    struct recording **recordings; // that were read
};

// What is known beside the files.
struct tree_known {
    const struct embedded *first; // what the first one holds, borrowed; NULL: it is read
    // Of a process, in whose recording it may be missing: what wait() said.
    bool has_end;
    size_t index; // of the recording
    struct process_end end;
};

// Opens `count` recordings, at least one, the main program's first. 0, or a status after a message
// that names the file and begins with the command's name; then there is nothing to close. The paths
// are borrowed. `known` may be NULL.
int tree_open(struct tree *self, const char *command, const char *const *paths, size_t count,
              const struct profile_options *options, const struct tree_known *known);
void tree_close(struct tree *self);

// The newest recording in this folder, to be freed; NULL after a message when there is none.
char *tree_newest(const char *command);
