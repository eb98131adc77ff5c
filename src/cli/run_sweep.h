// Run sweep: finishes what earlier runs could not: recordings whose mete was killed, or whose
// processes outlived their command, lie in memory until somebody looks. Those that nobody writes
// to any more go where they were to go, and a line says so; none is replaced or lost. What finds no
// place is told once, by the first that tried. Folders of a mete that lives are not touched, nor
// recordings of processes that live. Belongs to the command line.
#pragma once

#include "cli/live_folder.h"

#include <stddef.h>
#include <stdio.h>

// Looks for live folders where this run has its own, and where its recordings end; all but its own,
// which are open no more. Lines go to `out`, as all that is no failure of this run.
void run_sweep(const struct live_folder *own, size_t count, const char *beside, FILE *out);
