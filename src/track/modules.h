// Modules: the files that code is mapped from, as rows of the recording. A module is found when the
// first frame in it is seen, without the loader's lock, and never again: what was unloaded keeps
// its row, and what is loaded in its place gets another.
#pragma once

#include <stdint.h>

// The module of a code address and the address in the module's own terms; RECORD_NONE and the
// address itself when there is none. With the recorder's lock.
uint32_t modules_find(uintptr_t pc, uint64_t *offset_out);

// After something was unloaded: which modules are gone. With the recorder's lock. Returns how many.
uint32_t modules_refresh(void);
