#include "symbols/containers.h"

#include <dwarf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// As in scopes.c: what lies deeper is left out.
enum { DEPTH_MAX = 256 };

// One level of the walk: a DIE, and the container it is, or the one around it.
struct level {
    Dwarf_Die die;
    uint32_t around;
    uint32_t own;
};

static bool is_container(int tag)
{
    return tag == DW_TAG_namespace || tag == DW_TAG_class_type || tag == DW_TAG_structure_type ||
           tag == DW_TAG_union_type || tag == DW_TAG_subprogram || tag == DW_TAG_module ||
           tag == DW_TAG_interface_type || tag == DW_TAG_enumeration_type;
}

static int visit(struct containers *self, struct level *level)
{
    level->own = level->around;
    if (!is_container(dwarf_tag(&level->die)) || !dwarf_haschildren(&level->die)) return 0;
    if (self->count == self->capacity) {
        size_t capacity = self->capacity ? self->capacity * 2 : 64;
        struct container *items = reallocarray(self->items, capacity, sizeof *items);
        if (!items) return -ENOMEM;
        self->items = items;
        self->capacity = capacity;
    }
    level->own = (uint32_t)self->count;
    self->items[self->count++] = (struct container){
        .die = level->die,
        .start = dwarf_dieoffset(&level->die),
        .end = UINT64_MAX,
        .parent = level->around,
    };
    return 0;
}

// The containers from this one outwards, up to `around`, end where the next DIE stands.
static void close_until(struct containers *self, uint32_t own, uint32_t around, Dwarf_Off end)
{
    while (own != around && own != CONTAINERS_NONE) {
        self->items[own].end = end;
        own = self->items[own].parent;
    }
}

static bool is_entered(Dwarf_Die *die)
{
    return dwarf_tag(die) != DW_TAG_inlined_subroutine && dwarf_haschildren(die) == 1;
}

int containers_init(struct containers *self, Dwarf_Die *unit)
{
    memset(self, 0, sizeof *self);
    struct level *levels = calloc(DEPTH_MAX, sizeof *levels);
    if (!levels) return -ENOMEM;
    size_t depth = 0;
    int error = 0;
    if (dwarf_child(unit, &levels[0].die) == 0) {
        levels[0].around = CONTAINERS_NONE;
        depth = 1;
        error = visit(self, &levels[0]);
    }
    uint32_t innermost = depth > 0 ? levels[0].own : CONTAINERS_NONE;
    while (depth > 0 && error == 0) {
        struct level *level = &levels[depth - 1];
        if (depth < DEPTH_MAX && is_entered(&level->die) &&
            dwarf_child(&level->die, &levels[depth].die) == 0) {
            levels[depth].around = level->own;
            level = &levels[depth++];
        } else {
            // Back to the first level where there is a next one. libdw believes DW_AT_sibling,
            // which in a bad file leads back.
            Dwarf_Die next;
            while (depth > 0 &&
                   (dwarf_siblingof(&levels[depth - 1].die, &next) != 0 ||
                    dwarf_dieoffset(&next) <= dwarf_dieoffset(&levels[depth - 1].die))) {
                depth--;
            }
            if (depth == 0) break;
            level = &levels[depth - 1];
            level->die = next;
            close_until(self, innermost, level->around, dwarf_dieoffset(&next));
        }
        error = visit(self, level);
        innermost = level->own;
    }
    free(levels);
    return error;
}

void containers_deinit(struct containers *self)
{
    free(self->items);
    memset(self, 0, sizeof *self);
}

uint32_t containers_find(const struct containers *self, Dwarf_Off offset)
{
    size_t low = 0;
    size_t high = self->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->items[middle].start < offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    uint32_t found = low > 0 ? (uint32_t)(low - 1) : CONTAINERS_NONE;
    while (found != CONTAINERS_NONE && self->items[found].end <= offset) {
        found = self->items[found].parent;
    }
    return found;
}
