// Observe: has the ledger count what the program allocates, when the settings say so.
#pragma once

#include "base/settings.h"
#include "os/registers.h"
#include "track/leaks.h"

#include <stdbool.h>

// Before main(). A recording that cannot be made is one line on fd 2, and the program runs on.
void observe_begin(const struct settings *settings, int argument_count, char **arguments);

// In a child that fork() has just made.
void observe_forked(void);

// The process gives up all system calls but four.
void observe_confined(void);

// The process ends, called by the thread that ends it; after quick_exit()'s handlers where that
// could be had.
void observe_end(const struct preserved_registers *caller);
bool observe_is_on(void);
// True when something is lost.
bool observe_look_for_leaks(const struct preserved_registers *caller, enum leaks_moment moment);
void observe_quick_exit(const struct preserved_registers *caller);
