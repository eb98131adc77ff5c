#include "symbols/abbreviations.h"

#include <dwarf.h>
#include <stdbool.h>

// What <dwarf.h> has under a name with a word that is none of ours: a reference into .debug_info.
enum { FORM_REFERENCE = 0x10 };

struct cursor {
    const uint8_t *bytes;
    uint64_t size;
    uint64_t at;
    bool is_cut;
};

static uint8_t next_byte(struct cursor *self)
{
    if (self->at < self->size) return self->bytes[self->at++];
    self->is_cut = true;
    return 0;
}

// LEB128; of a signed one only the length is right. Bits past the 64th are lost.
static uint64_t next_number(struct cursor *self)
{
    uint64_t number = 0;
    uint8_t byte;
    unsigned shift = 0;
    do {
        byte = next_byte(self);
        if (shift < 64) number |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    return number;
}

// Forms that refer to other units, to other files, or are not known here.
static bool is_outward(uint64_t attribute, uint64_t form)
{
    if (attribute == DW_AT_dwo_name || attribute == DW_AT_GNU_dwo_name) return true;
    switch (form) {
    case FORM_REFERENCE:
    case DW_FORM_indirect:
    case DW_FORM_ref_sup4:
    case DW_FORM_strp_sup:
    case DW_FORM_ref_sig8:
    case DW_FORM_ref_sup8: return true;
    default: return form > DW_FORM_addrx4;
    }
}

enum abbreviations abbreviations_look(const uint8_t *bytes, uint64_t size, uint64_t at)
{
    struct cursor cursor = {.bytes = bytes, .size = size, .at = at};
    bool is_any_outward = false;
    while (next_number(&cursor) != 0 && !cursor.is_cut && !is_any_outward) {
        (void)next_number(&cursor); // the tag
        (void)next_byte(&cursor);   // whether there are children
        uint64_t attribute;
        uint64_t form;
        do {
            attribute = next_number(&cursor);
            form = next_number(&cursor);
            if (form == DW_FORM_implicit_const) (void)next_number(&cursor);
            if (is_outward(attribute, form)) is_any_outward = true;
        } while ((attribute != 0 || form != 0) && !cursor.is_cut);
    }
    if (cursor.is_cut) return ABBREVIATIONS_CUT;
    return is_any_outward ? ABBREVIATIONS_OUTWARD : ABBREVIATIONS_WITHIN;
}
