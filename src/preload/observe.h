// Observe: has the ledger count what the program allocates, when the settings say so.
#pragma once

#include "base/settings.h"

// Before main(). A recording that cannot be made is one line on fd 2, and the program runs on.
void observe_begin(const struct settings *settings, int argument_count, char **arguments);

// In a child that fork() has just made.
void observe_forked(void);

// The process gives up all system calls but four.
void observe_confined(void);

// After main().
void observe_end(void);
