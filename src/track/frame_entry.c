#include "track/frame_entry.h"

// The LSB core specification, "DWARF extensions".
enum {
    ENCODING_ABSOLUTE = 0x00,
    ENCODING_ULEB = 0x01,
    ENCODING_U16 = 0x02,
    ENCODING_U32 = 0x03,
    ENCODING_U64 = 0x04,
    ENCODING_SLEB = 0x09,
    ENCODING_S16 = 0x0a,
    ENCODING_S32 = 0x0b,
    ENCODING_S64 = 0x0c,
    ENCODING_FORMAT = 0x0f,
    ENCODING_RELATIVE_TO_ITSELF = 0x10,
    ENCODING_BASE = 0x70,
    ENCODING_OMITTED = 0xff,
    // In the search table: relative to the table, 4 bytes signed. Linkers write no other.
    ENCODING_TABLE = 0x3b,

    TABLE_VERSION = 1,
    LENGTH_IS_64_BIT = 0xffffffffu,
};

struct search_row {
    int32_t function;
    int32_t entry;
};

static struct byte_reader read_from(const struct code_module *module, uintptr_t address)
{
    const uint8_t *end = (const uint8_t *)module->unwind_end;
    if (address < module->unwind_start || address > module->unwind_end) {
        return (struct byte_reader){.at = end, .end = end, .has_failed = true};
    }
    return (struct byte_reader){.at = (const uint8_t *)address, .end = end};
}

static uint64_t read_formatted(struct byte_reader *reader, unsigned format)
{
    switch (format) {
    case ENCODING_ABSOLUTE:
    case ENCODING_U64:
    case ENCODING_S64: return byte_reader_number(reader, 8);
    case ENCODING_ULEB: return byte_reader_uleb(reader);
    case ENCODING_U16: return byte_reader_number(reader, 2);
    case ENCODING_U32: return byte_reader_number(reader, 4);
    case ENCODING_SLEB: return (uint64_t)byte_reader_sleb(reader);
    case ENCODING_S16: return (uint64_t)byte_reader_signed(reader, 2);
    case ENCODING_S32: return (uint64_t)byte_reader_signed(reader, 4);
    default: reader->has_failed = true; return 0;
    }
}

uint64_t frame_entry_pointer(struct byte_reader *reader, unsigned encoding)
{
    uint64_t here = (uintptr_t)reader->at;
    uint64_t pointer = read_formatted(reader, encoding & ENCODING_FORMAT);
    unsigned base = encoding & ~(unsigned)ENCODING_FORMAT;
    if (base == ENCODING_RELATIVE_TO_ITSELF) return here + pointer;
    if (base != 0) reader->has_failed = true; // indirect, or relative to what x86-64 has not
    return pointer;
}

// The size of an entry's record, from behind its length on. 0 at the end of the list.
static struct byte_reader open_record(const struct code_module *module, uintptr_t address)
{
    struct byte_reader reader = read_from(module, address);
    uint64_t length = byte_reader_number(&reader, 4);
    if (length == LENGTH_IS_64_BIT) length = byte_reader_number(&reader, 8);
    if (length > (uint64_t)(reader.end - reader.at)) reader.has_failed = true;
    struct byte_reader record = byte_reader_part(&reader, length);
    record.has_failed = reader.has_failed || length == 0;
    return record;
}

// The augmentation's data of a CIE; `letters` says what stands there.
static void read_augmentation(struct byte_reader *reader, const uint8_t *letters,
                              struct frame_entry *entry)
{
    entry->has_augmentation = true;
    uint64_t size = byte_reader_uleb(reader);
    struct byte_reader data = byte_reader_part(reader, size);
    byte_reader_skip(reader, size);
    for (; *letters; letters++) {
        switch (*letters) {
        case 'R': entry->pointer_encoding = (unsigned)byte_reader_number(&data, 1); break;
        case 'L': byte_reader_skip(&data, 1); break;
        case 'P': {
            unsigned encoding = (unsigned)byte_reader_number(&data, 1);
            if (encoding != ENCODING_OMITTED) (void)read_formatted(&data, encoding & 0x0f);
            break;
        }
        case 'S': entry->is_signal_frame = true; break;
        case 'B': break;                    // pointer authentication, on another architecture
        default: reader->has_failed = true; // it may change what follows
        }
    }
    reader->has_failed |= data.has_failed;
}

static bool read_shared(const struct code_module *module, uintptr_t address,
                        struct frame_entry *entry)
{
    struct byte_reader reader = open_record(module, address);
    if (byte_reader_number(&reader, 4) != 0) return false; // it is not a CIE
    uint64_t version = byte_reader_number(&reader, 1);
    if (version != 1 && version != 3) return false;
    const uint8_t *letters = reader.at;
    while (byte_reader_number(&reader, 1) != 0) continue;
    if (reader.has_failed) return false;
    entry->code_factor = byte_reader_uleb(&reader);
    entry->data_factor = byte_reader_sleb(&reader);
    entry->return_register =
        version == 1 ? byte_reader_number(&reader, 1) : byte_reader_uleb(&reader);
    entry->pointer_encoding = ENCODING_ABSOLUTE;
    if (*letters == 'z') {
        read_augmentation(&reader, letters + 1, entry);
    } else if (*letters) {
        return false; // of a compiler older than .eh_frame_hdr
    }
    entry->shared_program = reader;
    return !reader.has_failed;
}

static bool read_entry(const struct code_module *module, uintptr_t address,
                       struct frame_entry *entry)
{
    struct byte_reader reader = open_record(module, address);
    uintptr_t here = (uintptr_t)reader.at;
    uint64_t distance = byte_reader_number(&reader, 4);
    if (reader.has_failed || distance == 0 || distance > here - module->unwind_start) return false;
    if (!read_shared(module, here - distance, entry)) return false;
    entry->start = frame_entry_pointer(&reader, entry->pointer_encoding);
    entry->size = read_formatted(&reader, entry->pointer_encoding & ENCODING_FORMAT);
    if (entry->has_augmentation) byte_reader_skip(&reader, byte_reader_uleb(&reader));
    entry->program = reader;
    return !reader.has_failed;
}

// The last row whose function starts at or before `offset`; count > 0 and row 0 does.
static uint64_t search(const struct search_row *rows, uint64_t count, int64_t offset)
{
    uint64_t low = 0;
    while (count > 1) {
        uint64_t half = count / 2;
        if (rows[low + half].function <= offset) low += half;
        count -= half;
    }
    return low;
}

enum frame_entry_found frame_entry_find(const struct code_module *module, uintptr_t pc,
                                        struct frame_entry *entry_out)
{
    if (!module->search_table || module->unwind_start == module->unwind_end) {
        return FRAME_ENTRY_NONE;
    }
    struct byte_reader reader = read_from(module, module->search_table);
    uint64_t version = byte_reader_number(&reader, 1);
    unsigned list_encoding = (unsigned)byte_reader_number(&reader, 1);
    unsigned count_encoding = (unsigned)byte_reader_number(&reader, 1);
    unsigned table_encoding = (unsigned)byte_reader_number(&reader, 1);
    (void)frame_entry_pointer(&reader, list_encoding);
    uint64_t count = frame_entry_pointer(&reader, count_encoding);
    if (reader.has_failed || version != TABLE_VERSION || table_encoding != ENCODING_TABLE ||
        count > (uint64_t)(reader.end - reader.at) / sizeof(struct search_row) ||
        (uintptr_t)reader.at % _Alignof(struct search_row) != 0) {
        return FRAME_ENTRY_UNREADABLE;
    }
    const struct search_row *rows = (const struct search_row *)(uintptr_t)reader.at;
    int64_t offset = (int64_t)(pc - module->search_table);
    if (count == 0 || rows[0].function > offset) return FRAME_ENTRY_NONE;
    const struct search_row *row = &rows[search(rows, count, offset)];
    uintptr_t address = module->search_table + (uintptr_t)(intptr_t)row->entry;
    struct frame_entry entry = {0};
    if (!read_entry(module, address, &entry)) return FRAME_ENTRY_UNREADABLE;
    if (pc - entry.start >= entry.size) return FRAME_ENTRY_NONE;
    *entry_out = entry;
    return FRAME_ENTRY_FOUND;
}
