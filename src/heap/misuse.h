// Misuse: says what a pointer that should have been a live block is, and ends the process.
// The wording is part of the interface; tests/misuse asserts it.
#pragma once

#include "base/attributes.h"

#include <stddef.h>
#include <stdint.h>

// `verb` names the user's call, which was to free the block. Does not return.
_Noreturn COLD void misuse_panic(const char *verb, const void *pointer);

// The same of a call that was to use the block: to resize it, or to tell its size.
_Noreturn COLD void misuse_panic_use(const char *verb, const void *pointer);

// Remembers pages whose last block is being freed: they may soon be anybody's, and then nothing
// else tells that there were blocks of `block_size` bytes. The last few hundred are remembered.
// Thread-safe.
void misuse_note_freed(uintptr_t base, size_t size, size_t block_size);
