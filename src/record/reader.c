#include "record/reader.h"

#include "os/file.h"
#include "record/description.h"
#include "record/mend.h"
#include "record/merge.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_SIZE = 1 << 20 }; // read at a time where rows must be converted

// The order of reading: a table before those that it points to, so that what a row of a growing
// recording points to was there when its turn comes.
static const enum record_table order[] = {
    RECORD_TABLE_leaks,        RECORD_TABLE_rows,    RECORD_TABLE_names,    RECORD_TABLE_lines,
    RECORD_TABLE_sites,        RECORD_TABLE_nodes,   RECORD_TABLE_frames,   RECORD_TABLE_modules,
    RECORD_TABLE_site_threads, RECORD_TABLE_threads, RECORD_TABLE_timeline, RECORD_TABLE_mappings,
    RECORD_TABLE_lost,         RECORD_TABLE_process, RECORD_TABLE_bytes,
};

struct reader {
    int fd;
    uint64_t size;
    uint64_t space;
    uint64_t end;   // where the last table's last row should end
    uint64_t taken; // bytes of memory
    struct record_header header;
    struct reader_problem problem;
};

// Which tables are wanted, as bits by index.
static const uint32_t all_tables = (1U << RECORD_TABLE_COUNT) - 1;
static const uint32_t process_tables =
    1U << RECORD_TABLE_process | 1U << RECORD_TABLE_threads | 1U << RECORD_TABLE_bytes;
static const uint32_t code_tables =
    1U << RECORD_TABLE_modules | 1U << RECORD_TABLE_frames | 1U << RECORD_TABLE_bytes;

// How a column of the file becomes one of ours.
struct conversion {
    struct record_column to;
    uint32_t type;
    uint32_t offset;
    uint32_t count;
};

struct plan {
    const struct record_table_entry *entry;
    const struct record_table_description *table;
    struct conversion conversions[RECORD_COLUMNS_MAX];
    size_t conversion_count;
    bool is_native; // rows in the file are rows in memory
};

static bool refuse(struct reader *self, enum reader_fault fault, const char *what)
{
    self->problem.fault = fault;
    self->problem.what = what;
    return false;
}

static bool refuse_error(struct reader *self, int error)
{
    self->problem.error = -error;
    if (error == -ENOMEM) return refuse(self, READER_TOO_LARGE, NULL);
    return refuse(self, READER_CANNOT, NULL);
}

// --- the header

static bool magic_check(struct reader *self, size_t have)
{
    const struct record_header *header = &self->header;
    const size_t size = have < sizeof header->magic ? have : sizeof header->magic;
    if (memcmp(header->magic, RECORD_MAGIC, size) != 0) {
        const bool is_ours = size > 4 && memcmp(header->magic, RECORD_MAGIC, 4) == 0;
        return refuse(self, is_ours ? READER_AS_TEXT : READER_FOREIGN, NULL);
    }
    return true;
}

static bool header_read(struct reader *self)
{
    int error = file_size(self->fd, &self->size, &self->space);
    if (error) return refuse_error(self, error);
    const ssize_t have = file_read_at(self->fd, 0, &self->header, sizeof self->header);
    if (have < 0) return refuse_error(self, (int)have);
    if (have == 0) return refuse(self, READER_EMPTY, NULL);
    if (!magic_check(self, (size_t)have)) return false;
    const struct record_header *header = &self->header;
    const bool has_version = (size_t)have >= offsetof(struct record_header, header_size);
    if (has_version && header->version > RECORD_VERSION) {
        self->problem.have = header->version;
        self->problem.want = RECORD_VERSION;
        return refuse(self, READER_NEWER, NULL);
    }
    if (self->size < RECORD_HEADER_SIZE || (size_t)have < sizeof *header) {
        self->problem.have = self->size;
        self->problem.want = RECORD_HEADER_SIZE;
        return refuse(self, READER_CUT_OFF, NULL);
    }
    if (header->version == 0) return refuse(self, READER_DAMAGED, "version 0");
    if (header->header_size < sizeof *header) {
        return refuse(self, READER_DAMAGED, "the size of its header");
    }
    if (header->table_count > RECORD_TABLES_MAX || header->column_count > RECORD_COLUMNS_MAX) {
        return refuse(self, READER_DAMAGED, "the number of its tables or columns");
    }
    return true;
}

// --- one table

static const struct record_column *column_find(const struct record_table_description *table,
                                               const struct record_column_entry *entry)
{
    for (size_t i = 0; i < table->column_count; i++) {
        if (record_name_is(entry->name, sizeof entry->name, table->columns[i].name)) {
            return &table->columns[i];
        }
    }
    return NULL;
}

static bool plan_column(struct reader *self, struct plan *plan,
                        const struct record_column_entry *entry)
{
    const struct record_column *to = column_find(plan->table, entry);
    const uint32_t size = record_type_size(entry->type);
    if (!to || size == 0) return true; // of a newer mete
    if (entry->offset + (uint64_t)size * entry->count > plan->entry->row_size) {
        return refuse(self, READER_DAMAGED, "a column outside its rows");
    }
    // Text is made of text alone.
    if ((entry->type == RECORD_TEXT) != (to->type == RECORD_TEXT)) return true;
    plan->conversions[plan->conversion_count++] = (struct conversion){
        .to = *to,
        .type = entry->type,
        .offset = entry->offset,
        .count = entry->count < to->count ? entry->count : to->count,
    };
    return true;
}

static bool plan_is_native(const struct plan *plan)
{
    if (plan->entry->row_size != plan->table->row_size) return false;
    if (plan->conversion_count != plan->table->column_count) return false;
    for (size_t i = 0; i < plan->conversion_count; i++) {
        const struct conversion *one = &plan->conversions[i];
        if (one->type != one->to.type || one->offset != one->to.offset) return false;
        if (one->count != one->to.count) return false;
        // Each column once, in our order.
        if (one->to.name != plan->table->columns[i].name) return false;
    }
    return true;
}

static bool plan_make(struct reader *self, struct plan *plan)
{
    const struct record_table_entry *entry = plan->entry;
    if (entry->row_size == 0 || entry->row_size > READER_ROW_SIZE_MAX) {
        return refuse(self, READER_DAMAGED, "the size of a table's rows");
    }
    const uint32_t column_count = self->header.column_count;
    if (entry->first_column > column_count ||
        entry->column_count > column_count - entry->first_column) {
        return refuse(self, READER_DAMAGED, "a table without its columns");
    }
    for (size_t i = 0; i < entry->column_count; i++) {
        if (!plan_column(self, plan, &self->header.columns[entry->first_column + i])) return false;
    }
    plan->is_native = plan_is_native(plan);
    return true;
}

// --- values

union value {
    uint64_t whole;
    int64_t with_sign;
    float real;
};

static union value value_load(const char *from, uint32_t type)
{
    union value value = {0};
    memcpy(&value, from, record_type_size(type)); // little-endian, as this machine is
    return value;
}

// A number from one type to another; what does not fit becomes the nearest that does.
static union value value_convert(union value value, uint32_t from, uint32_t to)
{
    if (from == to) return value;
    const bool was_real = from == RECORD_F32;
    const bool is_negative = was_real ? value.real < 0 : from == RECORD_I64 && value.with_sign < 0;
    uint64_t size = from == RECORD_I64 && is_negative ? 0 - value.whole : value.whole;
    if (was_real) {
        const float real = is_negative ? -value.real : value.real;
        size = real < (float)INT64_MAX ? (uint64_t)real : INT64_MAX; // NaN too
    }
    if (to == RECORD_F32) return (union value){.real = is_negative ? -(float)size : (float)size};
    if (to == RECORD_I64) {
        const int64_t limited = size < INT64_MAX ? (int64_t)size : INT64_MAX;
        return (union value){.with_sign = is_negative ? -limited : limited};
    }
    const uint64_t max = to == RECORD_U8 ? UINT8_MAX : to == RECORD_U32 ? UINT32_MAX : UINT64_MAX;
    if (is_negative) return (union value){.whole = 0};
    return (union value){.whole = size < max ? size : max};
}

static void row_convert(const struct plan *plan, const char *from, char *to)
{
    for (size_t i = 0; i < plan->conversion_count; i++) {
        const struct conversion *one = &plan->conversions[i];
        const uint32_t from_size = record_type_size(one->type);
        const uint32_t to_size = record_type_size(one->to.type);
        for (size_t j = 0; j < one->count; j++) {
            union value value = value_load(from + one->offset + j * from_size, one->type);
            value = value_convert(value, one->type, one->to.type);
            memcpy(to + one->to.offset + j * to_size, &value, to_size);
        }
    }
}

// Reads up to `count` rows and tells how many there were: the file may have become shorter.
static bool rows_read(struct reader *self, const struct plan *plan, char *rows, size_t count,
                      size_t *count_out)
{
    const struct record_table_entry *entry = plan->entry;
    *count_out = 0;
    if (plan->is_native) {
        const ssize_t have = file_read_at(self->fd, entry->offset, rows, count * entry->row_size);
        if (have < 0) return refuse_error(self, (int)have);
        *count_out = (size_t)have / entry->row_size;
        return true;
    }
    char *chunk = malloc(CHUNK_SIZE);
    if (!chunk) return refuse_error(self, -ENOMEM);
    const size_t per_chunk = CHUNK_SIZE / entry->row_size;
    bool is_fine = true;
    while (*count_out < count) {
        const size_t want = count - *count_out < per_chunk ? count - *count_out : per_chunk;
        const ssize_t have = file_read_at(self->fd, entry->offset + *count_out * entry->row_size,
                                          chunk, want * entry->row_size);
        if (have < 0) {
            is_fine = refuse_error(self, (int)have);
            break;
        }
        const size_t whole = (size_t)have / entry->row_size;
        for (size_t i = 0; i < whole; i++) {
            row_convert(plan, chunk + i * entry->row_size,
                        rows + (*count_out + i) * plan->table->row_size);
        }
        *count_out += whole;
        if (whole < want) break;
    }
    free(chunk);
    return is_fine;
}

// --- the tables

static struct record_table_entry *entry_find(struct reader *self, const char *name)
{
    for (size_t i = 0; i < self->header.table_count; i++) {
        struct record_table_entry *entry = &self->header.tables[i];
        if (record_name_is(entry->name, sizeof entry->name, name)) return entry;
    }
    return NULL;
}

// How many rows there are now, of those that lie in the file; notes where they should end.
static bool count_read(struct reader *self, struct record_table_entry *entry, uint64_t *count_out)
{
    const size_t offset = (size_t)((char *)&entry->count - (char *)&self->header);
    const ssize_t have = file_read_at(self->fd, offset, &entry->count, sizeof entry->count);
    if (have < 0) return refuse_error(self, (int)have);
    uint64_t count = entry->count < entry->capacity ? entry->count : entry->capacity;
    uint64_t end = 0;
    if (__builtin_mul_overflow(count, entry->row_size, &end) ||
        __builtin_add_overflow(end, entry->offset, &end)) {
        end = UINT64_MAX;
    }
    if (count > 0 && end > self->end) self->end = end;
    const uint64_t room = entry->offset < self->size ? self->size - entry->offset : 0;
    if (count > room / entry->row_size) count = room / entry->row_size;
    *count_out = count;
    return true;
}

// Rows, and the memory for them. RECORD_NONE is never an index: so many there may not be.
static bool table_read(struct reader *self, enum record_table which, bool is_wanted, void *rows_out,
                       size_t *count_out)
{
    struct plan plan = {.table = &record_tables[which]};
    struct record_table_entry *entry = is_wanted ? entry_find(self, plan.table->name) : NULL;
    const bool is_process = which == RECORD_TABLE_process;
    uint64_t count = 0;
    if (entry) {
        plan.entry = entry;
        if (!plan_make(self, &plan) || !count_read(self, entry, &count)) return false;
    }
    if (is_process && count > 1) count = 1;
    if (count >= RECORD_NONE) return refuse(self, READER_TOO_LARGE, NULL);
    self->taken += count * plan.table->row_size;
    if (self->taken > READER_BYTES_MAX) return refuse(self, READER_TOO_LARGE, NULL);
    // One more than there are: the process always has its row, and no array is NULL.
    char *rows = calloc(count + 1, plan.table->row_size);
    if (!rows) return refuse_error(self, -ENOMEM);
    memcpy(rows_out, &rows, sizeof rows); // the pointers have a type each
    if (count > 0 && !rows_read(self, &plan, rows, count, count_out)) return false;
    if (is_process) *count_out = 1;
    return true;
}

static bool tables_read(struct reader *self, uint32_t wanted, struct recording *recording)
{
#define PLACE(table, row, columns) [RECORD_TABLE_##table] = &recording->table,
#define COUNT(table, row, columns) [RECORD_TABLE_##table] = &recording->table##_count,
    void *const places[] = {RECORD_TABLES(PLACE)};
    size_t *const counts[] = {RECORD_TABLES(COUNT)};
    static_assert(sizeof order / sizeof *order == RECORD_TABLE_COUNT, "each table once");
    for (size_t i = 0; i < RECORD_TABLE_COUNT; i++) {
        const enum record_table which = order[i];
        const bool is_wanted = wanted >> which & 1;
        if (!table_read(self, which, is_wanted, places[which], counts[which])) return false;
    }
    return true;
}

static struct recording *read_tables(int fd, uint32_t wanted, struct reader_problem *problem_out)
{
    struct recording *recording = calloc(1, sizeof *recording);
    struct reader *self = calloc(1, sizeof *self);
    bool is_fine = recording && self;
    if (is_fine) {
        self->fd = fd;
        is_fine = header_read(self) && tables_read(self, wanted, recording);
        *problem_out = self->problem;
    } else {
        *problem_out = (struct reader_problem){.fault = READER_TOO_LARGE};
    }
    if (is_fine) {
        recording->file_size = self->size;
        recording->file_space = self->space;
        recording->missing = self->end > self->size ? self->end - self->size : 0;
        recording_mend(recording);
        is_fine = recording_merge(recording);
        if (!is_fine) *problem_out = (struct reader_problem){.fault = READER_TOO_LARGE};
    }
    if (!is_fine) {
        recording_close(recording);
        recording = NULL;
    }
    free(self);
    return recording;
}

struct recording *recording_read(int fd, struct reader_problem *problem_out)
{
    return read_tables(fd, all_tables, problem_out);
}

struct recording *recording_read_process(int fd, struct reader_problem *problem_out)
{
    return read_tables(fd, process_tables, problem_out);
}

static struct recording *open_tables(const char *path, uint32_t wanted,
                                     struct reader_problem *problem_out)
{
    int fd = -1;
    const int error = file_open(path, &fd);
    if (error) {
        *problem_out = (struct reader_problem){.fault = READER_CANNOT, .error = -error};
        if (error == -EISDIR) problem_out->fault = READER_FOLDER;
        if (error == -ESPIPE) problem_out->fault = READER_NO_FILE;
        return NULL;
    }
    struct recording *recording = read_tables(fd, wanted, problem_out);
    file_close(fd);
    return recording;
}

struct recording *recording_open(const char *path, struct reader_problem *problem_out)
{
    return open_tables(path, all_tables, problem_out);
}

struct recording *recording_open_code(const char *path, struct reader_problem *problem_out)
{
    return open_tables(path, code_tables, problem_out);
}

void recording_close(struct recording *self)
{
    if (!self) return;
#define FREE(table, row, columns) free(self->table);
    RECORD_TABLES(FREE)
    free(self);
}

const char *recording_text(const struct recording *self, struct record_text text)
{
    return (const char *)&self->bytes[text.offset].byte;
}

void reader_problem_text(const struct reader_problem *problem,
                         char text[static READER_PROBLEM_SIZE])
{
    const char *words = "";
    switch (problem->fault) {
    case READER_NO_FAULT: words = "nothing is the matter"; break;
    case READER_CANNOT: words = strerror(problem->error); break;
    case READER_FOLDER: words = "is a directory"; break;
    case READER_NO_FILE: words = "is no regular file"; break;
    case READER_EMPTY: words = "empty"; break;
    case READER_FOREIGN: words = "not a mete recording"; break;
    case READER_AS_TEXT:
        words = "a mete recording that was changed on its way here (copied as text?)";
        break;
    case READER_NEWER:
        (void)snprintf(text, READER_PROBLEM_SIZE,
                       "made by a newer mete (version %llu; this one reads %llu)",
                       (unsigned long long)problem->have, (unsigned long long)problem->want);
        return;
    case READER_CUT_OFF:
        (void)snprintf(text, READER_PROBLEM_SIZE, "cut off: %llu bytes of at least %llu",
                       (unsigned long long)problem->have, (unsigned long long)problem->want);
        return;
    case READER_DAMAGED:
        (void)snprintf(text, READER_PROBLEM_SIZE, "damaged: it contradicts itself about %s",
                       problem->what);
        return;
    case READER_TOO_LARGE: words = "too large to be read into memory"; break;
    }
    (void)snprintf(text, READER_PROBLEM_SIZE, "%s", words);
}
