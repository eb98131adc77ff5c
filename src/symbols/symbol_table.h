// Symbol table: the functions of one file by .symtab, .dynsym and .gnu_debugdata, as far as there.
// An address belongs to the function whose [value, value + size) holds it; of several, the one that
// begins last. Of several that begin there: functions before labels, global before weak before
// local ones, then the name with fewer leading underscores, the shorter, the first in the alphabet.
// A symbol without a size reaches to the next one, if nothing else holds it and local symbols are
// known (else much could lie between).
// Nothing is sorted: tables are large and few addresses are asked for, which must be known before.
#pragma once

#include "symbols/elf_file.h"

#include <elfutils/libdwfl.h>

struct symbol {
    uint64_t value;
    uint64_t size;
    const char *name; // in the file
    int score;        // kind and binding; more is better
};

struct symbol_table {
    Dwfl *reader; // holds the names
    Dwfl_Callbacks callbacks;
    struct symbol *symbols;
    size_t count;
    bool has_locals;           // not from .dynsym alone
    const uint64_t *addresses; // sorted, borrowed
    size_t address_count;
    const struct symbol **found; // by address: NULL for none
};

// Reads the symbols of a file and finds those that hold the addresses, which are sorted and stay
// where they are until deinit; a file without, or with bad ones, makes an empty table. Afterwards
// to be deinitialised, also when it failed. 0 or -ENOMEM.
int symbol_table_init(struct symbol_table *self, const struct elf_file *file,
                      const uint64_t *addresses, size_t count);
void symbol_table_deinit(struct symbol_table *self);

// The symbol that holds the address, one of those; NULL for none. Borrowed until deinit.
const char *symbol_table_find(const struct symbol_table *self, uint64_t address);
