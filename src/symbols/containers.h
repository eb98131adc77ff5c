// Containers: what a DIE stands in: namespaces, classes, functions. DIEs do not know their parents,
// so a unit is walked once and remembered by where its containers begin and end.
#pragma once

#include <elfutils/libdw.h>
#include <stddef.h>
#include <stdint.h>

#define CONTAINERS_NONE UINT32_MAX

// start < end; a container's parent starts before it and ends no earlier.
struct container {
    Dwarf_Die die;
    Dwarf_Off start;
    Dwarf_Off end;
    uint32_t parent; // CONTAINERS_NONE at the top
};

struct containers {
    struct container *items; // sorted by start
    size_t count;
    size_t capacity;
};

// Walks a unit; bad DWARF ends the walk. Afterwards to be deinitialised, also when it failed.
// 0 or -ENOMEM.
int containers_init(struct containers *self, Dwarf_Die *unit);
void containers_deinit(struct containers *self);

// The innermost container around the DIE at `offset`, itself not counted, or CONTAINERS_NONE.
uint32_t containers_find(const struct containers *self, Dwarf_Off offset);
