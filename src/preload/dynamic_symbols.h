// Dynamic symbols: the table of what a loaded file defines for others, in memory, and its hash
// table (DT_GNU_HASH, as glibc has it). Takes no lock; calls nothing of the loader's.
#pragma once

#include <link.h>
#include <stdbool.h>
#include <stdint.h>

struct dynamic_symbols {
    Elf64_Sym *first;
    const char *texts;
    const uint32_t *hash;
};

// False where there is none, or no hash table that we know.
bool dynamic_symbols_find(const struct link_map *map, struct dynamic_symbols *symbols_out);

// The next version of what is defined by that name behind `last`, or the first for NULL; NULL when
// there is no more.
Elf64_Sym *dynamic_symbols_next(const struct dynamic_symbols *self, const char *name,
                                const Elf64_Sym *last);
