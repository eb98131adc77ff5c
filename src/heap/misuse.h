// Misuse: says what a pointer that should have been a live block is, and ends the process; unless a
// neighbour is known (see heap.h), who is asked about what is in no span of ours.
// The wording is part of the interface; tests/misuse asserts it.
#pragma once

#include "base/attributes.h"

#include <stddef.h>
#include <stdint.h>

// `verb` names the user's call, which was to free the block. Does not return.
_Noreturn COLD void misuse_panic(const char *verb, const void *pointer);

// What the call `verb` does with what is no live block: the neighbour does it, or the process ends.
COLD void misuse_free(const char *verb, void *pointer);
COLD void *misuse_realloc(const char *verb, void *pointer, size_t size);
COLD size_t misuse_block_size(const char *verb, const void *pointer);

// Remembers pages whose last block is being freed: they may soon be anybody's, and then nothing
// else tells that there were blocks of `block_size` bytes. The last few hundred are remembered.
// Thread-safe.
void misuse_note_freed(uintptr_t base, size_t size, size_t block_size);
