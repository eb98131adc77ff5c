// Code: what is known of the code at an address: the module it is part of, and where its unwind
// information lies. Never takes the loader's lock (it may be held by a thread that waits for us),
// never allocates, never touches errno; async-signal-safe.
#pragma once

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct link_map;

// A file that the loader mapped to run code from. True while it stays loaded. Of a program whose
// segments the kernel put apart it is the segment that has the code: what lies in between may be
// anybody's.
struct code_module {
    uintptr_t start; // start <= address < end is where it is mapped, holes included
    uintptr_t end;
    uintptr_t bias; // an address in the file's own terms, plus this
    const struct link_map *link_map;
    uintptr_t search_table; // .eh_frame_hdr; 0: it has none
    uintptr_t unwind_start; // readable memory around it; both 0 when there is none
    uintptr_t unwind_end;
};

// Its program headers, where linkers write them. None: they are elsewhere.
struct code_headers {
    const Elf64_Phdr *first;
    size_t count;
};
struct code_headers code_headers(const struct code_module *module);

// The readable segment whose bytes of the file hold all of that; NULL: none.
const Elf64_Phdr *code_headers_segment(const struct code_headers *self, uintptr_t bias,
                                       uintptr_t start, size_t size);

// Whether the module is still the one that is loaded at its start; reads nothing of its memory,
// which another thread may be unmapping.
bool code_is_loaded(uintptr_t start, uintptr_t end);

// Whether `module`, found before, still has the code at that address.
bool code_module_holds(const struct code_module *module, uintptr_t address);

// False: no module has code there (JIT, a trampoline, no code at all); *module_out is untouched.
bool code_find_module(uintptr_t address, struct code_module *module_out);

// The same without the memory around the search table, for which the kernel must be asked: unwind_*
// are 0.
bool code_locate(uintptr_t address, struct code_module *module_out);
