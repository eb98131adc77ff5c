// Units: which compilation unit of a file's DWARF holds an address.
// Built from the units' own ranges, of all or of some (not every compiler writes .debug_aranges).
// Only where a unit stands is kept, so that the DWARF may be closed and opened again in between.
#pragma once

#include "symbols/intervals.h"

#include <elfutils/libdw.h>

struct units {
    Dwarf_Off *offsets; // of their DIEs
    size_t count;
    size_t capacity;
    struct intervals intervals; // of indices into offsets
};

// Which units are read: those whose code lies in [start, end).
struct units_choice {
    uint64_t start;
    uint64_t end;
    const uint64_t *only; // those at these offsets in .debug_info alone; NULL: all
    size_t only_count;
    size_t *looks; // at ranges so far, of ADDRESSES_LOOKS_MAX; then the list ends
};

// Bad DWARF ends the list early. Afterwards to be deinitialised, also when it failed. 0 or -ENOMEM.
int units_init(struct units *self, Dwarf *dwarf, const struct units_choice *choice);
void units_deinit(struct units *self);
