// Code: what is known of the code at an address: the module it is part of, and where its unwind
// information lies. Never takes the loader's lock (it may be held by a thread that waits for us),
// never allocates, never touches errno; async-signal-safe.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct link_map;

// A file that the loader mapped to run code from. True while it stays loaded.
struct code_module {
    uintptr_t start; // start <= address < end is where it is mapped, holes included
    uintptr_t end;
    uintptr_t bias; // an address in the file's own terms, plus this
    const struct link_map *link_map;
    uintptr_t search_table; // .eh_frame_hdr; 0: it has none
    uintptr_t unwind_start; // readable memory around it; both 0 when there is none
    uintptr_t unwind_end;
};

// Whether the module is still the one that is loaded at its start; reads nothing of its memory,
// which another thread may be unmapping.
bool code_is_loaded(uintptr_t start, uintptr_t end);

// Whether `module`, found before, still has the code at that address.
bool code_module_holds(const struct code_module *module, uintptr_t address);

// False: no module has code there (JIT, a trampoline, no code at all); *module_out is untouched.
bool code_find_module(uintptr_t address, struct code_module *module_out);
