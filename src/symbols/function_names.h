// Function names: what a function is called, by its DIE, its symbol, or both.
// A mangled name of either is demangled, since only that has namespaces, templates and parameters.
// Else it is the DIE's name with what it stands in before it (GCC writes no mangled names for
// functions that no other file can call), in C the bare name.
// Names are made once and kept in the store; what is remembered of DIEs must be forgotten when
// their DWARF is closed.
#pragma once

#include "symbols/store.h"

#include <elfutils/libdw.h>

// Both kept in the store.
struct function_name {
    const char *text;    // NULL: it has none
    const char *linkage; // the mangled name that stands for it; NULL: none does
};

struct function_name_entry;
struct function_names_unit;

struct function_names {
    struct store *store; // borrowed
    struct function_name_entry *entries;
    size_t count;
    size_t capacity;                   // a power of two or 0; count <= capacity / 2
    struct function_names_unit *units; // a list
};

void function_names_init(struct function_names *self, struct store *store);
void function_names_deinit(struct function_names *self);

// Forgets all DIEs.
void function_names_reset(struct function_names *self);

// The name of the DIE's function; `symbol`, if not NULL, is what the symbol table calls it.
// 0 or -ENOMEM.
int function_names_find(struct function_names *self, Dwarf_Die *die, const char *symbol,
                        struct function_name *name_out);

// The same where there is only a symbol.
int function_names_find_symbol(struct function_names *self, const char *symbol,
                               struct function_name *name_out);
