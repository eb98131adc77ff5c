#include "symbols/excerpt.h"

#include "symbols/abbreviations.h"
#include "symbols/address_ranges.h"
#include "symbols/elf_image.h"
#include "symbols/unpacker.h"

#include <assert.h>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

// What an excerpt has, in the order in which it is made.
enum section {
    SECTION_INFO,
    SECTION_ABBREV,
    SECTION_LINE,
    SECTION_STR, // from here on whole
    SECTION_LINE_STR,
    SECTION_STR_OFFSETS,
    SECTION_ADDRESSES,
    SECTION_RANGES,
    SECTION_RNGLISTS,
    SECTION_COUNT,
};

static const char *const section_names[SECTION_COUNT] = {
    ".debug_info",        ".debug_abbrev", ".debug_line",   ".debug_str",      ".debug_line_str",
    ".debug_str_offsets", ".debug_addr",   ".debug_ranges", ".debug_rnglists",
};

// Larger ones (a guess) are left to libdw. What is not unpacked takes address space only.
static const uint64_t image_size_max = UINT64_C(1) << 30;

// The bytes of a unit's header that are of interest here; a unit has more.
enum { UNIT_HEADER_SIZE = 12 };

// How much of a table of abbreviations is unpacked at first; then as much as there was of it.
enum { ABBREV_PART = 2048 };

struct maker {
    const struct address_list *addresses;
    Elf_Scn *ranges;
    Elf_Scn *sections[SECTION_COUNT];
    uint64_t sizes[SECTION_COUNT];
    uint64_t places[SECTION_COUNT]; // in the image
    uint64_t *units;                // offsets in .debug_info, rising
    size_t unit_count;
    uint64_t *tables; // of abbreviations: offsets, rising
    uint8_t *info;    // the units, one behind the other
    uint8_t *image;
    uint64_t image_size;
};

// --- what there is

// Notes a section. False when there is one that an excerpt cannot have.
static bool note(struct maker *self, Elf_Scn *section, const char *name)
{
    if (strcmp(name, ".gnu_debugaltlink") == 0) return false;
    if (strcmp(name, ".debug_aranges") == 0) self->ranges = section;
    for (size_t i = 0; i < SECTION_COUNT; i++) {
        if (strcmp(name, section_names[i]) != 0) continue;
        if (self->sections[i]) return false;
        self->sections[i] = section;
    }
    return true;
}

// 0, or -ENODATA when nothing can be, or need be, gained.
static int find_sections(struct maker *self, Elf *elf)
{
    size_t names;
    if (elf_getshdrstrndx(elf, &names) < 0) return -ENODATA;
    Elf_Scn *section = NULL;
    GElf_Shdr header;
    while ((section = elf_nextscn(elf, section)) != NULL) {
        if (!gelf_getshdr(section, &header) || header.sh_type == SHT_NOBITS) continue;
        const char *name = elf_strptr(elf, names, header.sh_name);
        if (name && !note(self, section, name)) return -ENODATA;
    }
    if (!self->ranges || !self->sections[SECTION_INFO] || !self->sections[SECTION_ABBREV]) {
        return -ENODATA;
    }
    const bool is_there = gelf_getshdr(self->sections[SECTION_INFO], &header) != NULL;
    return is_there && (header.sh_flags & SHF_COMPRESSED) ? 0 : -ENODATA;
}

// --- which units

// The bytes of a unit after its header, and where its abbreviations are.
static int read_header(const uint8_t header[UNIT_HEADER_SIZE], uint64_t *left_out,
                       uint64_t *table_out)
{
    uint32_t length;
    uint32_t table;
    uint16_t version;
    memcpy(&length, header, sizeof length);
    memcpy(&version, header + 4, sizeof version);
    if (length >= 0xfffffff0) return -ENODATA; // of 64 bits, or reserved
    if (version < 2 || version > 5) return -ENODATA;
    if (version == 5 && header[6] != DW_UT_compile) return -ENODATA;
    memcpy(&table, header + (version == 5 ? 8 : 6), sizeof table);
    if (length + sizeof length < UNIT_HEADER_SIZE) return -ENODATA;
    *left_out = length + sizeof length - UNIT_HEADER_SIZE;
    *table_out = table;
    return 0;
}

static int read_unit(struct maker *self, struct unpacker *unpacker, size_t index)
{
    uint8_t header[UNIT_HEADER_SIZE];
    int error = unpacker_skip(unpacker, self->units[index]);
    if (!error) error = unpacker_read(unpacker, header, sizeof header);
    uint64_t left = 0;
    if (!error) error = read_header(header, &left, &self->tables[index]);
    if (!error && left > unpacker->size - unpacker->position) error = -ENODATA;
    if (error) return error;
    const uint64_t size = self->sizes[SECTION_INFO];
    if (size + sizeof header > image_size_max || left > image_size_max - sizeof header - size) {
        return -ENODATA;
    }
    uint8_t *info = realloc(self->info, size + sizeof header + left);
    if (!info) return -ENOMEM;
    self->info = info;
    memcpy(info + size, header, sizeof header);
    self->sizes[SECTION_INFO] = size + sizeof header + left;
    return unpacker_read(unpacker, info + size + sizeof header, left);
}

static int read_units(struct maker *self)
{
    self->tables = calloc(self->unit_count + 1, sizeof *self->tables);
    if (!self->tables) return -ENOMEM;
    struct unpacker unpacker;
    int error = unpacker_init(&unpacker, self->sections[SECTION_INFO]);
    for (size_t i = 0; i < self->unit_count && !error; i++) {
        error = read_unit(self, &unpacker, i);
    }
    unpacker_deinit(&unpacker);
    return error;
}

// --- the image

static int size_of(Elf_Scn *section, uint64_t *size_out)
{
    struct unpacker unpacker;
    const int error = unpacker_init(&unpacker, section);
    if (!error) *size_out = unpacker.size;
    unpacker_deinit(&unpacker);
    return error;
}

// Makes an image with room for all and the units in it.
static int lay_out(struct maker *self)
{
    for (size_t i = 0; i < SECTION_COUNT; i++) {
        if (i == SECTION_INFO || !self->sections[i]) continue;
        const int error = size_of(self->sections[i], &self->sizes[i]);
        if (error) return error;
    }
    static_assert((int)SECTION_COUNT <= (int)ELF_IMAGE_SECTIONS_MAX, "an image has room");
    const struct elf_image_plan plan = {section_names, self->sizes, SECTION_COUNT, image_size_max};
    const int error = elf_image_make(&plan, self->places, &self->image, &self->image_size);
    if (error) return error;
    if (self->info) {
        memcpy(self->image + self->places[SECTION_INFO], self->info, self->sizes[SECTION_INFO]);
    }
    return 0;
}

// Unpacks more of the abbreviations: some of the table at `place`, or twice what there was.
static int unpack_more(struct unpacker *unpacker, uint8_t *bytes, uint64_t place)
{
    const uint64_t position = unpacker->position;
    const uint64_t begin = place > position ? place : position;
    const uint64_t more = begin - place > ABBREV_PART ? begin - place : ABBREV_PART;
    if (begin >= unpacker->size) return -ENODATA;
    const uint64_t end = unpacker->size - begin > more ? begin + more : unpacker->size;
    return unpacker_read(unpacker, bytes + position, end - position);
}

// Unpacks the tables of abbreviations that the units have, and what comes before.
static int unpack_tables(struct maker *self)
{
    struct unpacker unpacker;
    uint8_t *bytes = self->image + self->places[SECTION_ABBREV];
    int error = unpacker_init(&unpacker, self->sections[SECTION_ABBREV]);
    addresses_sort(self->tables, self->unit_count);
    for (size_t i = 0; i < self->unit_count && !error;) {
        switch (abbreviations_look(bytes, unpacker.position, self->tables[i])) {
        case ABBREVIATIONS_WITHIN: i++; break;
        case ABBREVIATIONS_OUTWARD: error = -ENODATA; break;
        case ABBREVIATIONS_CUT: error = unpack_more(&unpacker, bytes, self->tables[i]); break;
        }
    }
    unpacker_deinit(&unpacker);
    return error;
}

static int unpack_whole(struct maker *self, enum section section)
{
    if (self->sizes[section] == 0) return 0;
    struct unpacker unpacker;
    int error = unpacker_init(&unpacker, self->sections[section]);
    if (!error) {
        error = unpacker_read(&unpacker, self->image + self->places[section], unpacker.size);
    }
    unpacker_deinit(&unpacker);
    return error;
}

// --- lines

// Where the units' line tables are, rising; what has none is left out.
static int find_line_tables(Dwarf *dwarf, uint64_t *tables, size_t max, size_t *count_out)
{
    size_t count = 0;
    Dwarf_CU *unit = NULL;
    Dwarf_Die die;
    while (dwarf_get_units(dwarf, unit, &unit, NULL, NULL, &die, NULL) == 0) {
        Dwarf_Attribute attribute;
        Dwarf_Word table;
        if (!dwarf_attr(&die, DW_AT_stmt_list, &attribute)) continue;
        if (dwarf_formudata(&attribute, &table) != 0 || count == max) return -ENODATA;
        tables[count++] = table;
    }
    addresses_sort(tables, count);
    *count_out = count;
    return 0;
}

static int unpack_line_table(struct maker *self, struct unpacker *unpacker, uint64_t place)
{
    if (place < unpacker->position) return 0; // of several units
    uint8_t *bytes = self->image + self->places[SECTION_LINE];
    uint32_t length;
    int error = unpacker_skip(unpacker, place);
    if (!error) error = unpacker_read(unpacker, bytes + place, sizeof length);
    if (error) return error;
    memcpy(&length, bytes + place, sizeof length);
    if (length >= 0xfffffff0) return -ENODATA; // of 64 bits, or reserved
    return unpacker_read(unpacker, bytes + place + sizeof length, length);
}

static int unpack_lines(struct maker *self, Elf *elf)
{
    if (self->sizes[SECTION_LINE] == 0) return 0;
    Dwarf *dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
    if (!dwarf) return -ENODATA;
    struct unpacker unpacker;
    uint64_t *tables = calloc(self->unit_count + 1, sizeof *tables);
    size_t count = 0;
    int error = unpacker_init(&unpacker, self->sections[SECTION_LINE]);
    if (!tables) error = -ENOMEM;
    if (!error) error = find_line_tables(dwarf, tables, self->unit_count, &count);
    for (size_t i = 0; i < count && !error; i++) {
        error = unpack_line_table(self, &unpacker, tables[i]);
    }
    unpacker_deinit(&unpacker);
    free(tables);
    (void)dwarf_end(dwarf); // it was only read
    return error;
}

static int make(struct maker *self, const struct elf_file *file, struct excerpt *excerpt)
{
    int error = find_sections(self, file->elf);
    if (!error) {
        error = address_ranges_read(self->ranges, self->addresses, &self->units, &self->unit_count);
    }
    if (!error) error = read_units(self);
    if (!error) error = lay_out(self);
    if (!error) error = unpack_tables(self);
    for (enum section i = SECTION_STR; i < SECTION_COUNT && !error; i++) {
        error = unpack_whole(self, i);
    }
    if (error) return error;
    Elf *elf = elf_memory((char *)self->image, self->image_size);
    if (!elf) return -ENODATA;
    error = unpack_lines(self, elf);
    if (error) {
        (void)elf_end(elf); // it has no other user
        return error;
    }
    *excerpt = (struct excerpt){.elf = elf, .image = self->image};
    self->image = NULL;
    return 0;
}

int excerpt_init(struct excerpt *self, const struct elf_file *file,
                 const struct address_list *addresses)
{
    struct maker maker = {.addresses = addresses};
    *self = (struct excerpt){.elf = NULL};
    const int error = addresses->count > 0 ? make(&maker, file, self) : 0;
    free(maker.units);
    free(maker.tables);
    free(maker.info);
    free(maker.image);
    return error == -ENODATA ? 0 : error;
}

void excerpt_deinit(struct excerpt *self)
{
    if (self->elf) (void)elf_end(self->elf); // it has no other user
    free(self->image);
    *self = (struct excerpt){.elf = NULL};
}
