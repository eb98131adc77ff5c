#include "symbols/units.h"

#include "symbols/addresses.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int add_offset(struct units *self, Dwarf_Off offset)
{
    if (self->count == self->capacity) {
        size_t capacity = self->capacity ? self->capacity * 2 : 64;
        Dwarf_Off *offsets = reallocarray(self->offsets, capacity, sizeof *offsets);
        if (!offsets) return -ENOMEM;
        self->offsets = offsets;
        self->capacity = capacity;
    }
    self->offsets[self->count++] = offset;
    return 0;
}

static int add_unit(struct units *self, Dwarf_Die *unit, const struct units_choice *choice)
{
    uint64_t base;
    uint64_t start;
    uint64_t end;
    size_t count_before = self->intervals.count;
    ptrdiff_t next = 0;
    while (*choice->looks < ADDRESSES_LOOKS_MAX &&
           (next = dwarf_ranges(unit, next, &base, &start, &end)) > 0) {
        ++*choice->looks;
        // What the linker threw away was moved to 0 or to the end of the address space.
        if (start < choice->start || end > choice->end) continue;
        int error = intervals_add(&self->intervals, start, end, (uint32_t)self->count);
        if (error) return error;
    }
    return self->intervals.count > count_before ? add_offset(self, dwarf_dieoffset(unit)) : 0;
}

static bool is_code(uint8_t type)
{
    return type == DW_UT_compile || type == DW_UT_skeleton || type == DW_UT_partial;
}

static int add_all(struct units *self, Dwarf *dwarf, const struct units_choice *choice)
{
    Dwarf_CU *unit = NULL;
    Dwarf_Half version;
    uint8_t type;
    Dwarf_Die die;
    while (dwarf_get_units(dwarf, unit, &unit, &version, &type, &die, NULL) == 0) {
        int error = is_code(type) ? add_unit(self, &die, choice) : 0;
        if (error) return error;
    }
    return 0;
}

static int add_chosen(struct units *self, Dwarf *dwarf, const struct units_choice *choice)
{
    for (size_t i = 0; i < choice->only_count; i++) {
        Dwarf_Off next;
        size_t header_size;
        uint8_t type;
        Dwarf_Die die;
        const Dwarf_Off offset = choice->only[i];
        if (dwarf_nextcu(dwarf, offset, &next, &header_size, NULL, NULL, NULL) != 0 ||
            !dwarf_offdie(dwarf, offset + header_size, &die) ||
            dwarf_cu_info(die.cu, NULL, &type, NULL, NULL, NULL, NULL, NULL) != 0) {
            continue;
        }
        int error = is_code(type) ? add_unit(self, &die, choice) : 0;
        if (error) return error;
    }
    return 0;
}

int units_init(struct units *self, Dwarf *dwarf, const struct units_choice *choice)
{
    memset(self, 0, sizeof *self);
    intervals_init(&self->intervals);
    int error = choice->only ? add_chosen(self, dwarf, choice) : add_all(self, dwarf, choice);
    return error ? error : intervals_settle(&self->intervals);
}

void units_deinit(struct units *self)
{
    intervals_deinit(&self->intervals);
    free(self->offsets);
    memset(self, 0, sizeof *self);
}
