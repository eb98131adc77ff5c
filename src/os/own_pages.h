// Own pages: memory of ours inside somebody else's process, which is none of the program's data:
// whoever looks through the program's memory leaves it out. A note is kept of every range, up to a
// limit, past which a range is taken for the program's.
// Lock-free and async-signal-safe: a handler may interrupt one call and make another.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OWN_PAGES_MAX = 4096 }; // ranges that are noted: 2 GiB of metadata

// As pages_map() and pages_unmap(): a range goes as a whole, as it came.
void *own_pages_map(size_t size);
void own_pages_unmap(void *address, size_t size);

// Notes a range that was mapped in another way, and forgets it.
void own_pages_note(const void *address, size_t size);
void own_pages_forget(const void *address, size_t size);

// The range noted at `index` < OWN_PAGES_MAX. False: there is none.
bool own_pages_at(size_t index, uintptr_t *start_out, uintptr_t *end_out);
