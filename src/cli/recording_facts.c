#include "cli/recording_facts.h"

#include "record/tables.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static_assert(sizeof(struct record_header) <= RECORD_HEADER_SIZE, "the header has its place");

static const struct record_table_entry *table_find(const struct record_header *header,
                                                   const char *name)
{
    for (size_t i = 0; i < header->table_count && i < RECORD_TABLES_MAX; i++) {
        const struct record_table_entry *table = &header->tables[i];
        if (strncmp(table->name, name, sizeof table->name) == 0) return table;
    }
    return NULL;
}

// Copies a row's column; false when there is none of that name and type that lies in the row.
static bool column_read(const struct record_header *header, const struct record_table_entry *table,
                        const char *row, const char *name, enum record_type type, size_t size,
                        void *out)
{
    for (size_t i = 0; i < table->column_count && i < RECORD_COLUMNS_MAX; i++) {
        const size_t index = (size_t)table->first_column + i;
        if (index >= RECORD_COLUMNS_MAX || index >= header->column_count) return false;
        const struct record_column_entry *column = &header->columns[index];
        if (strncmp(column->name, name, sizeof column->name) != 0) continue;
        if (column->type != (uint32_t)type || column->offset + size > table->row_size) return false;
        memcpy(out, row + column->offset, size);
        return true;
    }
    return false;
}

// The last part of a program's path, without what a file's name should not hold.
static void program_read(struct recording_facts *self, const struct byte_source *source,
                         const struct record_header *header, struct record_text text)
{
    const struct record_table_entry *bytes = table_find(header, "bytes");
    uint64_t at = 0;
    if (!bytes || __builtin_add_overflow(bytes->offset, text.offset, &at)) return;
    char *path = byte_source_load(source, at, text.size, 4096);
    if (!path) return;
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t len = 0;
    for (; name[len] && len < sizeof self->program - 1; len++) {
        const unsigned char byte = (unsigned char)name[len];
        self->program[len] = byte < ' ' || byte == 0x7f ? '_' : name[len];
    }
    self->program[len] = '\0';
    free(path);
}

static void process_read(struct recording_facts *self, const struct byte_source *source,
                         const struct record_header *header)
{
    const struct record_table_entry *table = table_find(header, "process");
    if (!table || table->count == 0) return;
    enum { ROW_MAX = 1 << 16 }; // a guess, ten times what there is
    char *row = byte_source_load(source, table->offset, table->row_size, ROW_MAX);
    if (!row) return;
    struct record_text program = {0};
    self->has_process =
        column_read(header, table, row, "state", RECORD_U32, sizeof self->state, &self->state);
    (void)column_read(header, table, row, "peak_bytes", RECORD_U64, sizeof self->peak_bytes,
                      &self->peak_bytes);
    if (column_read(header, table, row, "program", RECORD_TEXT, sizeof program, &program)) {
        program_read(self, source, header, program);
    }
    free(row);
}

struct recording_facts recording_facts_read(const struct byte_source *source)
{
    struct recording_facts self = {0};
    struct record_header header = {0};
    if (!byte_source_read(source, 0, header.magic, sizeof header.magic)) return self;
    self.is_recording = memcmp(header.magic, RECORD_MAGIC, sizeof header.magic) == 0;
    if (!self.is_recording) return self;
    if (!byte_source_read(source, 0, &header, sizeof header)) return self;
    if (header.version == RECORD_VERSION) process_read(&self, source, &header);
    return self;
}
