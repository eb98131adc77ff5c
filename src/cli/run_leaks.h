// Run leaks: whether what a run has recorded was looked through for leaks, and what was found, over
// all of its processes. Belongs to the command line.
#pragma once

#include "cli/run_summary.h"

#include <stdbool.h>
#include <stdio.h>

enum leaks_verdict {
    LEAKS_NONE,
    LEAKS_FOUND,
    LEAKS_UNKNOWN, // the main program, or what the command became, was not looked through
};

// Prints a line for each process, beside the one that the summary shows, that has lost something;
// and why it is unknown where `is_asked`.
enum leaks_verdict run_leaks_judge(const struct run_result *result, bool is_asked, FILE *out);
