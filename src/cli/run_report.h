// Run report: what `mete run` prints of the recordings that a run has left, by the same means as
// `mete report`. Belongs to the command line.
#pragma once

#include "cli/run_summary.h"
#include "cli/tree.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

// A recording of the run; the main program's first.
struct run_subject {
    char *path;
    bool is_alive; // its process goes on recording
};

struct run_subjects {
    const struct run_subject *all;
    size_t count;
    size_t unlisted; // children besides
    size_t started;  // index of the command's own; 0 where that is the main program
    struct tree_known known;
};

// False after a message.
bool run_report(const struct run_subjects *subjects, const struct summary_options *options,
                FILE *out);
