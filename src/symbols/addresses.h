// Addresses: lists of them that rise, and other lists of 64-bit numbers that do.
#pragma once

#include <stddef.h>
#include <stdint.h>

// What is asked for.
struct address_list {
    const uint64_t *items; // rising
    size_t count;
    uint64_t code_start; // ranges that begin before are of code that the linker threw away
};

// So often a file's ranges and symbols are held against addresses, and no more: some seconds. Many
// may claim all of the code, or share one long list; in honest files each address is held by a few.
enum { ADDRESSES_LOOKS_MAX = 1 << 26 };

// The index of the first of the rising items that is not before `start`; `count` for none.
size_t addresses_first_from(const uint64_t *items, size_t count, uint64_t start);

void addresses_sort(uint64_t *items, size_t count);
