// Scopes: the functions around addresses, by one walk through the DIEs of their compilation unit.
// A scope is a function or a copy of one that was inlined; its parent is what it was inlined into.
// The unit is walked once for all addresses, and only where one of them can be; a second time,
// everywhere, where some have no function then (those nested in others, in a class).
#pragma once

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCOPES_NONE UINT32_MAX

struct scope {
    Dwarf_Die die;
    uint32_t parent; // SCOPES_NONE: a function of its own
    bool is_inlined; // == (parent != SCOPES_NONE)
};

struct scopes {
    struct scope *items;
    size_t count;
    size_t capacity;
    const uint64_t *addresses; // sorted, borrowed
    size_t address_count;
    uint32_t *innermost; // for each address its innermost scope, or SCOPES_NONE
};

// What is looked for in a unit, and by how much work.
struct scopes_request {
    uint64_t code_start;       // code before it is none
    const uint64_t *addresses; // sorted, borrowed while the scopes are there
    size_t count;
    size_t *looks; // at ranges and addresses so far, of ADDRESSES_LOOKS_MAX; then no more are found
};

// Finds the scopes of addresses that lie in the unit. Afterwards to be deinitialised, also when it
// failed. 0 or -ENOMEM.
int scopes_init(struct scopes *self, Dwarf_Die *unit, const struct scopes_request *request);
void scopes_deinit(struct scopes *self);
