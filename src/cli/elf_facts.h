// Elf facts: what an executable file says of how it will run: its machine, its loader, which
// allocators and sanitizers are in it. Trusts nothing in the file; what cannot be read is not known
// and no fact. Belongs to the command line.
#pragma once

#include "cli/byte_source.h"

#include <stdbool.h>
#include <stdint.h>

enum elf_kind {
    ELF_NONE,    // no ELF program
    ELF_FOREIGN, // for another machine, or 32-bit
    ELF_NATIVE,
};

struct elf_facts {
    enum elf_kind kind;
    uint16_t machine; // EM_…
    bool is_32_bit;
    bool is_cut_off;  // what its header says is there is not: then nothing below is known
    bool has_loader;  // else it is linked statically, or is a loader itself
    bool is_loader;   // glibc's own, which runs the program that its arguments name
    char loader[256]; // its path
    bool is_go;
    bool is_cxx;                   // needs a C++ library
    bool exports_malloc;           // defines malloc for all of the process
    const char *allocator;         // a known one that is linked in, by its symbols; or NULL
    const char *allocator_library; // a known one that it needs as a shared library; or NULL
    const char *sanitizer;         // one that brings its own malloc; or NULL
};

struct elf_facts elf_facts_read(const struct byte_source *source);
