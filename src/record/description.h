// Description: tables.h as data, so that the writer can put it into a file and the reader can
// compare it with what stands there. Constant; for anyone, also inside somebody else's process.
#pragma once

#include "record/tables.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct record_column {
    const char *name;
    enum record_type type;
    uint16_t offset; // in the native struct
    uint16_t count;
};

struct record_table_description {
    const char *name;
    const struct record_column *columns;
    uint32_t column_count;
    uint32_t row_size; // of the native struct
};

extern const struct record_table_description record_tables[RECORD_TABLE_COUNT];

// Bytes of one value; 0 for a type that this version does not know.
uint32_t record_type_size(uint32_t type);

// Fills a zeroed header with magic, version and all descriptions. Where the tables are, and how
// long, is left to the caller.
void record_describe(struct record_header *header);

// Whether a name in the file, padded with zeroes, is this one.
bool record_name_is(const char *padded, size_t capacity, const char *name);
