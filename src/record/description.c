#include "record/description.h"

#include <assert.h>

// The columns of tables.h name no struct; ROW says whose turn it is.
#define COLUMN(type, name) {#name, RECORD_##type, offsetof(ROW, name), 1},
#define COLUMNS(type, name, count) {#name, RECORD_##type, offsetof(ROW, name), count},

#define ROW struct record_process
static const struct record_column process_columns[] = {RECORD_PROCESS_COLUMNS(COLUMN, COLUMNS)};
#undef ROW
#define ROW struct record_module
static const struct record_column modules_columns[] = {RECORD_MODULES_COLUMNS(COLUMN, COLUMNS)};
#undef ROW
#define ROW struct record_frame
static const struct record_column frames_columns[] = {RECORD_FRAMES_COLUMNS(COLUMN, COLUMNS)};
#undef ROW
#define ROW struct record_node
static const struct record_column nodes_columns[] = {RECORD_NODES_COLUMNS(COLUMN, COLUMNS)};
#undef ROW
#define ROW struct record_site
static const struct record_column sites_columns[] = {RECORD_SITES_COLUMNS(COLUMN, COLUMNS)};
#undef ROW
#define ROW struct record_site_thread
static const struct record_column site_threads_columns[] = {
    RECORD_SITE_THREADS_COLUMNS(COLUMN, COLUMNS)};
#undef ROW
#define ROW struct record_row
static const struct record_column rows_columns[] = {RECORD_ROWS_COLUMNS(COLUMN, COLUMNS)};
#undef ROW
#define ROW struct record_thread
static const struct record_column threads_columns[] = {RECORD_THREADS_COLUMNS(COLUMN, COLUMNS)};
#undef ROW
#define ROW struct record_point
static const struct record_column timeline_columns[] = {RECORD_TIMELINE_COLUMNS(COLUMN, COLUMNS)};
#undef ROW
#define ROW struct record_lost
static const struct record_column lost_columns[] = {RECORD_LOST_COLUMNS(COLUMN, COLUMNS)};
#undef ROW
#define ROW struct record_mapping
static const struct record_column mappings_columns[] = {RECORD_MAPPINGS_COLUMNS(COLUMN, COLUMNS)};
#undef ROW
#define ROW struct record_leak
static const struct record_column leaks_columns[] = {RECORD_LEAKS_COLUMNS(COLUMN, COLUMNS)};
#undef ROW
#define ROW struct record_byte
static const struct record_column bytes_columns[] = {RECORD_BYTES_COLUMNS(COLUMN, COLUMNS)};
#undef ROW
#define ROW struct record_name
static const struct record_column names_columns[] = {RECORD_NAMES_COLUMNS(COLUMN, COLUMNS)};
#undef ROW
#define ROW struct record_line
static const struct record_column lines_columns[] = {RECORD_LINES_COLUMNS(COLUMN, COLUMNS)};
#undef ROW

#define DESCRIPTION(table, row, columns)                                                           \
    {#table, table##_columns, sizeof table##_columns / sizeof *table##_columns, sizeof(struct row)},
const struct record_table_description record_tables[RECORD_TABLE_COUNT] = {
    RECORD_TABLES(DESCRIPTION)};

#define COLUMN_COUNT(table, row, columns) +sizeof table##_columns / sizeof *table##_columns
static_assert(0 RECORD_TABLES(COLUMN_COUNT) <= RECORD_COLUMNS_MAX, "the header has no more room");
static_assert((int)RECORD_TABLE_COUNT <= (int)RECORD_TABLES_MAX, "the header has no more room");
static_assert(sizeof(struct record_header) <= RECORD_HEADER_SIZE, "the header has no more room");
static_assert(sizeof(struct record_table_entry) == 56, "part of the format");
static_assert(sizeof(struct record_column_entry) == 32, "part of the format");

uint32_t record_type_size(uint32_t type)
{
    static const uint8_t sizes[] = {
        [RECORD_U8] = 1,  [RECORD_U32] = 4, [RECORD_U64] = 8,
        [RECORD_I64] = 8, [RECORD_F32] = 4, [RECORD_TEXT] = 8,
    };
    return type < sizeof sizes ? sizes[type] : 0;
}

static void name_copy(char *padded, size_t capacity, const char *name)
{
    for (size_t i = 0; i < capacity && name[i]; i++) padded[i] = name[i];
}

bool record_name_is(const char *padded, size_t capacity, const char *name)
{
    for (size_t i = 0; i < capacity; i++) {
        if (padded[i] != name[i]) return false;
        if (!name[i]) return true;
    }
    return !name[capacity];
}

void record_describe(struct record_header *header)
{
    __builtin_memcpy(header->magic, RECORD_MAGIC, sizeof header->magic);
    header->version = RECORD_VERSION;
    header->header_size = RECORD_HEADER_SIZE;
    header->table_count = RECORD_TABLE_COUNT;
    uint32_t column_count = 0;
    for (size_t i = 0; i < RECORD_TABLE_COUNT; i++) {
        const struct record_table_description *table = &record_tables[i];
        struct record_table_entry *entry = &header->tables[i];
        name_copy(entry->name, sizeof entry->name, table->name);
        entry->row_size = table->row_size;
        entry->first_column = column_count;
        entry->column_count = table->column_count;
        for (size_t j = 0; j < table->column_count; j++) {
            struct record_column_entry *column = &header->columns[column_count++];
            name_copy(column->name, sizeof column->name, table->columns[j].name);
            column->type = table->columns[j].type;
            column->offset = table->columns[j].offset;
            column->count = table->columns[j].count;
        }
    }
    header->column_count = column_count;
}
