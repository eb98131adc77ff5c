// Units: which compilation unit of a file's DWARF holds an address.
// Built from the units' own ranges (not every compiler writes .debug_aranges). Only where a unit
// stands is kept, so that the DWARF may be closed and opened again in between.
#pragma once

#include "symbols/intervals.h"

#include <elfutils/libdw.h>

struct units {
    Dwarf_Off *offsets; // of their DIEs
    size_t count;
    size_t capacity;
    struct intervals intervals; // of indices into offsets
};

// Reads the units whose code lies in [start, end). Bad DWARF ends the list early. Afterwards to be
// deinitialised, also when it failed. 0 or -ENOMEM.
int units_init(struct units *self, Dwarf *dwarf, uint64_t start, uint64_t end);
void units_deinit(struct units *self);
