#include "symbols/address_ranges.h"

#include "symbols/unpacker.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// A set's header: its length without this field, version, unit, sizes of addresses and of segments;
// its ranges begin at the next multiple of two addresses.
struct header {
    uint32_t length;
    uint16_t version;
    uint32_t unit;
    uint8_t address_size;
    uint8_t segment_size;
} __attribute__((packed));

struct range {
    uint64_t start;
    uint64_t size;
};

static_assert(sizeof(struct header) == 12, "as DWARF has it");
static_assert(sizeof(struct range) == 16, "as DWARF has it");

enum { VERSION = 2 };

// Larger ones (a guess) are not looked at.
static const uint64_t section_size_max = UINT64_C(1) << 30;

struct finding {
    const struct address_list *addresses;
    bool *is_found; // by address
    size_t looks;
    uint64_t *units;
    size_t count;
    size_t capacity;
};

static bool holds_any(struct finding *self, struct range range)
{
    const struct address_list *addresses = self->addresses;
    bool is_any = false;
    if (range.start < addresses->code_start) return false;
    for (size_t i = addresses_first_from(addresses->items, addresses->count, range.start);
         i < addresses->count && addresses->items[i] - range.start < range.size; i++) {
        if (++self->looks > ADDRESSES_LOOKS_MAX) break;
        self->is_found[i] = true;
        is_any = true;
    }
    return is_any;
}

static int add(struct finding *self, uint64_t unit)
{
    if (self->count == self->capacity) {
        const size_t capacity = self->capacity ? self->capacity * 2 : 16;
        uint64_t *units = reallocarray(self->units, capacity, sizeof *units);
        if (!units) return -ENOMEM;
        self->units = units;
        self->capacity = capacity;
    }
    self->units[self->count++] = unit;
    return 0;
}

// The set at the beginning of the bytes; *size_out is how many it takes.
static int look(struct finding *self, const uint8_t *bytes, uint64_t size, uint64_t *size_out)
{
    struct header header;
    if (size < sizeof header) return -ENODATA;
    memcpy(&header, bytes, sizeof header);
    const uint64_t end = (uint64_t)header.length + sizeof header.length;
    if (header.length >= 0xfffffff0 || end > size || header.version != VERSION ||
        header.address_size != sizeof(uint64_t) || header.segment_size != 0) {
        return -ENODATA;
    }
    bool is_any = false;
    struct range range;
    for (uint64_t at = sizeof range; at + sizeof range <= end; at += sizeof range) {
        memcpy(&range, bytes + at, sizeof range);
        if (range.start == 0 && range.size == 0) break;
        if (holds_any(self, range)) is_any = true;
    }
    if (self->looks > ADDRESSES_LOOKS_MAX) return -ENODATA;
    *size_out = end;
    return is_any ? add(self, header.unit) : 0;
}

static void sort(struct finding *self)
{
    if (self->count == 0) return;
    addresses_sort(self->units, self->count);
    size_t kept = 1;
    for (size_t i = 1; i < self->count; i++) {
        if (self->units[i] != self->units[kept - 1]) self->units[kept++] = self->units[i];
    }
    self->count = kept;
}

int address_ranges_find(const uint8_t *bytes, uint64_t size, const struct address_list *addresses,
                        uint64_t **units_out, size_t *unit_count_out)
{
    struct finding finding = {
        .addresses = addresses,
        .is_found = calloc(addresses->count + 1, sizeof *finding.is_found),
    };
    int error = finding.is_found ? 0 : -ENOMEM;
    uint64_t taken = 0;
    for (uint64_t at = 0; at < size && !error; at += taken) {
        error = look(&finding, bytes + at, size - at, &taken);
    }
    for (size_t i = 0; i < addresses->count && !error; i++) {
        if (!finding.is_found[i]) error = -ENODATA;
    }
    free(finding.is_found);
    if (error) {
        free(finding.units);
        return error;
    }
    sort(&finding);
    *units_out = finding.units;
    *unit_count_out = finding.count;
    return 0;
}

int address_ranges_read(Elf_Scn *section, const struct address_list *addresses,
                        uint64_t **units_out, size_t *unit_count_out)
{
    if (!section) return -ENODATA;
    struct unpacker unpacker;
    uint8_t *bytes = NULL;
    int error = unpacker_init(&unpacker, section);
    if (!error && unpacker.size > section_size_max) error = -ENODATA;
    if (!error) {
        bytes = malloc(unpacker.size + 1);
        error = bytes ? unpacker_read(&unpacker, bytes, unpacker.size) : -ENOMEM;
    }
    if (!error) {
        error = address_ranges_find(bytes, unpacker.size, addresses, units_out, unit_count_out);
    }
    unpacker_deinit(&unpacker);
    free(bytes);
    return error;
}
