// Run shortfall: what a run has not seen, as far as that can be known at its end: of the command
// itself, of processes that went on as programs that record nothing, of children of whom there is
// no trace. Belongs to the command line.
#pragma once

#include "cli/observable.h"
#include "cli/recordings.h"
#include "cli/run_child.h"
#include "cli/successors.h"

#include <stdbool.h>
#include <stddef.h>

// As many lines as there can be: of the command, of programs that allot in a way of their own (3,
// and how many more), of children that became others (3, 3 that run, and how many more), of no
// trace.
enum { SHORTFALL_LINES_MAX = 13, SHORTFALL_LINE_SIZE = 1280 };

struct shortfall {
    char lines[SHORTFALL_LINES_MAX][SHORTFALL_LINE_SIZE];
    size_t count;
    bool is_replaced; // the command's own process became a program that left no recording
};

struct shortfall_facts {
    const char *program; // what to call the command
    const struct obstacle *obstacle;
    const struct recordings *recordings;
    const struct successors *successors;
    const struct child_end *end;
    bool has_room;     // for a recording, where they are made
    bool has_children; // they are wanted
};

void shortfall_find(struct shortfall *self, const struct shortfall_facts *facts);
