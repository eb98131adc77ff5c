// Excerpt: the DWARF of the few units that hold given addresses, as an ELF file in memory, from a
// file whose DWARF is compressed. libdw unpacks every section of such a file whole, which takes far
// longer than all that is asked of it afterwards; here, each is unpacked as far as those units
// need. .debug_aranges says which units they are. Where it does not know an address, or where a
// unit may refer to what stands outside of it (dwz, link-time optimisation, split DWARF), there is
// no excerpt, and the file itself is to be read.
#pragma once

#include "symbols/address_ranges.h"
#include "symbols/elf_file.h"

struct excerpt {
    Elf *elf; // NULL: there is none
    uint8_t *image;
};

// 0, also when there is none, or -ENOMEM.
int excerpt_init(struct excerpt *self, const struct elf_file *file,
                 const struct address_list *addresses);
void excerpt_deinit(struct excerpt *self);
