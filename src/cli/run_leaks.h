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

// Says, beside what the summary does, why it is unknown, and who has lost something that is not
// suppressed.
enum leaks_verdict run_leaks_judge(const struct run_result *result,
                                   struct suppressions *suppressions, FILE *out);

// What --fail-on-leak makes of it; `error_status` below 0: none was asked for.
int run_leaks_status(enum leaks_verdict verdict, int error_status);
