// Address ranges: what .debug_aranges says of which unit holds an address. Nobody vouches for it.
#pragma once

#include "symbols/addresses.h"

#include <libelf.h>
#include <stddef.h>
#include <stdint.h>

// The offsets of the units that hold the addresses; rising, each once, for the caller to free. 0,
// -ENOMEM, or -ENODATA when it is damaged, leaves an address out, or takes too long to look
// through.
int address_ranges_find(const uint8_t *bytes, uint64_t size, const struct address_list *addresses,
                        uint64_t **units_out, size_t *unit_count_out);

// The same of a file's section, which may be compressed; NULL leaves out all addresses.
int address_ranges_read(Elf_Scn *section, const struct address_list *addresses,
                        uint64_t **units_out, size_t *unit_count_out);
