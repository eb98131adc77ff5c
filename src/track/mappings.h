// Mappings: how often, and for how many bytes, the program asked the kernel for address space: the
// totals beside the heap's. Any thread may count at any time, also in a signal handler; the ledger
// sees to it that a forked child does not count in its parent's recording.
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum mapping_call { MAPPING_MMAP, MAPPING_MUNMAP, MAPPING_MREMAP, MAPPING_BRK, MAPPING_COUNT };

// Once there is a recording, and in a forked child when it has its own. False without room.
bool mappings_begin(void);

// Whether somebody records.
bool mappings_are_counted(void);

// A call that succeeded.
void mappings_count(enum mapping_call call, size_t bytes);

// Nobody records any more, or somebody else's recording would be written.
void mappings_end(void);
