// Beginning: how a recording begins: the tables of the process's own, and all of a forked child's.
// Called by the ledger and by turns, in the calling thread's turn.
#pragma once

#include "base/attributes.h"

#include <stdbool.h>
#include <stdint.h>

// Begins all of a recording that nothing was before. 0 or -errno.
int beginning_of_parts(void);

// The first event of a child, whose parent's recording is not its own. False when it cannot have
// one: then nobody observes any more. Threads that it has already made, without an event, wait.
COLD bool beginning_in_child(uintptr_t here);

// Whether a child could not.
bool beginning_is_refused(void);

// The block is made already: if it is the child's first event, it was not inherited.
void beginning_note_newborn(const void *block);
