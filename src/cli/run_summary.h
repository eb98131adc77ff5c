// Run summary: what `mete run` tells when the program has ended. Belongs to the command line.
#pragma once

#include "cli/recordings.h"
#include "cli/run_shortfall.h"
#include "cli/skips.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

// What the command line says of the summary.
struct summary_options {
    bool has_symbols;                  // frames are named
    bool has_children;                 // a line per child
    bool is_full;                      // exact stacks
    bool lists_leaks;                  // every stack that something was lost from, or is in use
    struct suppressions *suppressions; // leaks that need not be told; notes which were of use
    struct skips skips;                // functions that name no row
};

// What has run.
struct run_result {
    char **command;
    pid_t pid;
    struct process_end end;
    const struct recordings *recordings; // sorted by pid and image
    size_t main;                         // the main program's index, or the count if it left none
    size_t started;                      // the command's own, in the same way
    struct shortfall shortfall;
};

// Prints the summary. Whether there is something that --error-status should speak of.
bool run_summarize(const struct run_result *result, const struct summary_options *options,
                   FILE *out);
