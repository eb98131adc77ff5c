// Run place: the folder in which the recordings of a run end, as far as -o names it before the
// program has run. Belongs to the command line.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// False where that is known only when the program has run: %n and %p stand in it.
bool run_place_find(const char *output, char *folder, size_t size);

// Whether recordings can be written there, or that is not known yet; else it says why they cannot.
// A name at which something else stands than a recording is not fit either.
// A disk that gets full later is no reason not to run.
bool run_place_is_fit(const char *output);
