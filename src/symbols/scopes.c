#include "symbols/scopes.h"

#include "symbols/addresses.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

// How deep DIEs may nest (a guess: inlining stays below 100). What lies deeper is left out.
enum { DEPTH_MAX = 256 };

// How a walk goes, and through what it is going.
struct walk {
    struct scopes *scopes;
    uint64_t code_start;
    bool is_thorough; // into everything
    size_t *looks;
    size_t depth;
    struct level {
        Dwarf_Die die;
        uint32_t scope; // around `die`
    } levels[DEPTH_MAX];
};

static int add_scope(struct scopes *self, const Dwarf_Die *die, uint32_t parent)
{
    if (self->count == self->capacity) {
        size_t capacity = self->capacity ? self->capacity * 2 : 64;
        struct scope *items = reallocarray(self->items, capacity, sizeof *items);
        if (!items) return -ENOMEM;
        self->items = items;
        self->capacity = capacity;
    }
    self->items[self->count++] = (struct scope){
        .die = *die,
        .parent = parent,
        .is_inlined = parent != SCOPES_NONE,
    };
    return 0;
}

// Whether the DIE covers an address whose innermost scope so far is `around`. With `scope`, that
// becomes the innermost scope of all those.
static bool covers(struct walk *self, Dwarf_Die *die, uint32_t around, const uint32_t *scope)
{
    struct scopes *scopes = self->scopes;
    bool is_found = false;
    uint64_t base;
    uint64_t start;
    uint64_t end;
    ptrdiff_t next = 0;
    while (*self->looks < ADDRESSES_LOOKS_MAX &&
           (next = dwarf_ranges(die, next, &base, &start, &end)) > 0) {
        ++*self->looks;
        if (start < self->code_start) continue;
        for (size_t i = addresses_first_from(scopes->addresses, scopes->address_count, start);
             i < scopes->address_count && scopes->addresses[i] < end; i++) {
            ++*self->looks;
            if (scopes->innermost[i] != around) continue;
            is_found = true;
            if (!scope) return true;
            scopes->innermost[i] = *scope;
        }
    }
    return is_found;
}

// Makes the DIE the scope of what it covers. *scope becomes it, for its children.
static int enter_function(struct walk *self, Dwarf_Die *die, uint32_t *scope, bool *is_entered)
{
    // A function within a function has its code elsewhere.
    uint32_t around = dwarf_tag(die) == DW_TAG_subprogram ? SCOPES_NONE : *scope;
    if (!covers(self, die, around, NULL)) {
        *is_entered = self->is_thorough;
        return 0;
    }
    uint32_t own = (uint32_t)self->scopes->count;
    int error = own == SCOPES_NONE ? -ENOMEM : add_scope(self->scopes, die, around);
    if (error) return error;
    (void)covers(self, die, around, &own); // it does
    *scope = own;
    *is_entered = true;
    return 0;
}

// Whether the children of the DIE are of interest; *scope is what is around it, and becomes what is
// around them.
static int enter(struct walk *self, Dwarf_Die *die, uint32_t *scope, bool *is_entered)
{
    *is_entered = self->is_thorough;
    switch (dwarf_tag(die)) {
    case DW_TAG_subprogram: return enter_function(self, die, scope, is_entered);
    case DW_TAG_inlined_subroutine:
        if (*scope == SCOPES_NONE) return 0;
        return enter_function(self, die, scope, is_entered);
    case DW_TAG_lexical_block:
    case DW_TAG_try_block:
    case DW_TAG_catch_block:
    case DW_TAG_with_stmt:
        if (*scope != SCOPES_NONE && !*is_entered) *is_entered = covers(self, die, *scope, NULL);
        return 0;
    case DW_TAG_namespace:
    case DW_TAG_module: *is_entered = true; return 0;
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
    case DW_TAG_interface_type: return 0;
    // Imported units hold no code: what shares them (dwz, GCC's link-time optimisation) moves only
    // what has no addresses there.
    default: *is_entered = false; return 0;
    }
}

// The next DIE of the level; libdw believes DW_AT_sibling, which in a bad file leads back.
static bool pass_to_sibling(struct level *level)
{
    Dwarf_Off before = dwarf_dieoffset(&level->die);
    Dwarf_Die next;
    if (dwarf_siblingof(&level->die, &next) != 0 || dwarf_dieoffset(&next) <= before) return false;
    level->die = next;
    return true;
}

static int walk_unit(struct walk *self, Dwarf_Die *unit)
{
    self->depth = 0;
    struct level *first = &self->levels[0];
    if (dwarf_child(unit, &first->die) != 0) return 0;
    first->scope = SCOPES_NONE;
    self->depth = 1;
    while (self->depth > 0) {
        struct level *level = &self->levels[self->depth - 1];
        uint32_t scope = level->scope;
        bool is_entered;
        int error = enter(self, &level->die, &scope, &is_entered);
        if (error) return error;
        if (is_entered && self->depth < DEPTH_MAX &&
            dwarf_child(&level->die, &self->levels[self->depth].die) == 0) {
            self->levels[self->depth++].scope = scope;
            continue;
        }
        while (self->depth > 0 && !pass_to_sibling(&self->levels[self->depth - 1])) self->depth--;
    }
    return 0;
}

static bool is_any_left(const struct scopes *self)
{
    for (size_t i = 0; i < self->address_count; i++) {
        if (self->innermost[i] == SCOPES_NONE) return true;
    }
    return false;
}

int scopes_init(struct scopes *self, Dwarf_Die *unit, const struct scopes_request *request)
{
    const size_t count = request->count;
    *self = (struct scopes){.addresses = request->addresses, .address_count = count};
    self->innermost = calloc(count ? count : 1, sizeof *self->innermost);
    struct walk *walk = calloc(1, sizeof *walk);
    int error = -ENOMEM;
    if (!self->innermost || !walk) goto free_walk;
    for (size_t i = 0; i < count; i++) self->innermost[i] = SCOPES_NONE;
    walk->scopes = self;
    walk->code_start = request->code_start;
    walk->looks = request->looks;
    error = walk_unit(walk, unit);
    if (error == 0 && is_any_left(self)) {
        walk->is_thorough = true;
        error = walk_unit(walk, unit);
    }
free_walk:
    free(walk);
    return error;
}

void scopes_deinit(struct scopes *self)
{
    free(self->items);
    free(self->innermost);
    memset(self, 0, sizeof *self);
}
