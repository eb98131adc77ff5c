#include "sample.h"

#include "record/description.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void require(int is_fine, const char *what)
{
    if (is_fine) return;
    (void)fprintf(stderr, "sample: %s\n", what);
    abort();
}

void sample_init(struct sample *self)
{
    *self = (struct sample){0};
    (void)sample_add(self, RECORD_TABLE_process);
}

void sample_deinit(struct sample *self)
{
    for (size_t i = 0; i < RECORD_TABLE_COUNT; i++) free(self->tables[i].rows);
}

static void *add_many(struct sample *self, enum record_table which, size_t count)
{
    struct sample_table *table = &self->tables[which];
    const size_t row_size = record_tables[which].row_size;
    if (table->count + count > table->capacity) {
        table->capacity = 2 * (table->count + count);
        table->rows = realloc(table->rows, table->capacity * row_size);
        require(table->rows != NULL, "out of memory");
    }
    char *row = table->rows + table->count * row_size;
    memset(row, 0, count * row_size);
    table->count += count;
    return row;
}

void *sample_add(struct sample *self, enum record_table table)
{
    return add_many(self, table, 1);
}

struct record_process *sample_process(struct sample *self)
{
    return (struct record_process *)self->tables[RECORD_TABLE_process].rows;
}

struct record_row *sample_row_at(struct sample *self, size_t index)
{
    return (struct record_row *)self->tables[RECORD_TABLE_rows].rows + index;
}

struct record_text sample_bytes_text(struct sample *self, const void *bytes, size_t size)
{
    const struct record_text text = {
        .offset = (uint32_t)self->tables[RECORD_TABLE_bytes].count,
        .size = (uint32_t)size,
    };
    if (size > 0) memcpy(add_many(self, RECORD_TABLE_bytes, size), bytes, size);
    return text;
}

struct record_text sample_text(struct sample *self, const char *text)
{
    return sample_bytes_text(self, text, text ? strlen(text) : 0);
}

static uint32_t last(const struct sample *self, enum record_table table)
{
    return (uint32_t)self->tables[table].count - 1;
}

uint32_t sample_module(struct sample *self, const char *path)
{
    const struct record_text text = sample_text(self, path);
    struct record_module *module = sample_add(self, RECORD_TABLE_modules);
    const uint32_t index = last(self, RECORD_TABLE_modules);
    *module = (struct record_module){
        .path = text,
        .base = 0x10000000u * (index + 1),
        .start = 0x10000000u * (index + 1),
        .size = 0x100000,
        .build_id_size = 20,
    };
    memset(module->build_id, 0xa0 + (int)index, 20);
    return index;
}

uint32_t sample_thread(struct sample *self, uint32_t tid, const char *name)
{
    struct record_thread *thread = sample_add(self, RECORD_TABLE_threads);
    thread->tid = tid;
    memcpy(thread->name, name, strnlen(name, sizeof thread->name));
    return last(self, RECORD_TABLE_threads);
}

static void add_line(struct sample *self, struct record_line line)
{
    *(struct record_line *)sample_add(self, RECORD_TABLE_lines) = line;
    struct record_name *names = (struct record_name *)self->tables[RECORD_TABLE_names].rows;
    names[last(self, RECORD_TABLE_names)].count++;
}

uint32_t sample_frame(struct sample *self, uint32_t module, uint64_t offset, const char *function,
                      const char *file, uint32_t line)
{
    struct record_frame *frame = sample_add(self, RECORD_TABLE_frames);
    *frame = (struct record_frame){.offset = offset, .module = module};
    struct record_name *name = sample_add(self, RECORD_TABLE_names);
    name->first = (uint32_t)self->tables[RECORD_TABLE_lines].count;
    if (function) {
        add_line(self, (struct record_line){
                           .function = sample_text(self, function),
                           .file = sample_text(self, file),
                           .line = line,
                       });
    }
    return last(self, RECORD_TABLE_frames);
}

void sample_outer_line(struct sample *self, const char *function, const char *file, uint32_t line)
{
    struct record_line *lines = (struct record_line *)self->tables[RECORD_TABLE_lines].rows;
    lines[last(self, RECORD_TABLE_lines)].is_inlined = 1;
    add_line(self, (struct record_line){
                       .function = sample_text(self, function),
                       .file = sample_text(self, file),
                       .line = line,
                   });
}

void sample_linkage(struct sample *self, const char *linkage)
{
    struct record_line *lines = (struct record_line *)self->tables[RECORD_TABLE_lines].rows;
    lines[last(self, RECORD_TABLE_lines)].linkage = sample_text(self, linkage);
}

uint32_t sample_node(struct sample *self, uint32_t parent, uint32_t frame)
{
    struct record_node *node = sample_add(self, RECORD_TABLE_nodes);
    *node = (struct record_node){.parent = parent, .frame = frame};
    return last(self, RECORD_TABLE_nodes);
}

uint32_t sample_site(struct sample *self, size_t count, const uint32_t *frames)
{
    uint32_t node = RECORD_NONE;
    for (size_t i = count; i > 0; i--) node = sample_node(self, node, frames[i - 1]);
    struct record_site *site = sample_add(self, RECORD_TABLE_sites);
    *site = (struct record_site){.node = node, .depth = (uint32_t)count};
    return last(self, RECORD_TABLE_sites);
}

uint32_t sample_row(struct sample *self, uint32_t site, uint32_t thread, uint64_t allocations,
                    uint64_t size, uint64_t frees)
{
    struct record_row *row = sample_add(self, RECORD_TABLE_rows);
    *row = (struct record_row){
        .site = site,
        .thread = thread,
        .allocations = allocations,
        .bytes_allocated = allocations * size,
        .frees = frees,
        .bytes_freed = frees * size,
        .size_min = size,
        .size_max = size,
        .peak_bytes = (int64_t)(allocations * size),
    };
    size_t bucket = 0;
    while (bucket + 1 < RECORD_SIZE_BUCKETS && size > (uint64_t)16 << bucket) bucket++;
    row->sizes[bucket] = allocations;
    return last(self, RECORD_TABLE_rows);
}

void sample_total(struct sample *self)
{
    struct record_process *process = sample_process(self);
    struct record_thread *threads = (struct record_thread *)self->tables[RECORD_TABLE_threads].rows;
    const size_t thread_count = self->tables[RECORD_TABLE_threads].count;
    for (size_t i = 0; i < self->tables[RECORD_TABLE_rows].count; i++) {
        const struct record_row *row = sample_row_at(self, i);
        process->live_bytes += row->bytes_allocated - row->bytes_freed;
        process->live_blocks += row->allocations - row->frees;
        if (row->thread >= thread_count) continue;
        struct record_thread *thread = &threads[row->thread];
        thread->allocations += row->allocations;
        thread->bytes_allocated += row->bytes_allocated;
        thread->wasted_allocated += row->wasted_allocated;
        thread->frees += row->frees;
        thread->bytes_freed += row->bytes_freed;
        thread->wasted_freed += row->wasted_freed;
        thread->temporary += row->temporary;
        thread->reallocations += row->reallocations;
    }
    process->peak_bytes = process->live_bytes;
    process->peak_blocks = process->live_blocks;
}

uint8_t *sample_file(const struct sample *self, size_t *size_out)
{
    uint64_t offsets[RECORD_TABLE_COUNT];
    uint64_t end = RECORD_HEADER_SIZE;
    for (size_t i = 0; i < RECORD_TABLE_COUNT; i++) {
        offsets[i] = end;
        end += (self->tables[i].count * record_tables[i].row_size + 7) / 8 * 8;
    }
    uint8_t *file = calloc(1, end);
    require(file != NULL, "out of memory");
    struct record_header *header = (struct record_header *)file;
    record_describe(header);
    for (size_t i = 0; i < RECORD_TABLE_COUNT; i++) {
        const size_t count = self->tables[i].count;
        header->tables[i].offset = offsets[i];
        header->tables[i].capacity = count;
        header->tables[i].count = count;
        if (count == 0) continue;
        memcpy(file + offsets[i], self->tables[i].rows, count * record_tables[i].row_size);
    }
    *size_out = end;
    return file;
}

int sample_descriptor(const uint8_t *bytes, size_t size)
{
    const int fd = memfd_create("sample", MFD_CLOEXEC);
    require(fd >= 0, "no file in memory");
    size_t done = 0;
    while (done < size) {
        const ssize_t count = write(fd, bytes + done, size - done);
        require(count > 0, "cannot write a file in memory");
        done += (size_t)count;
    }
    require(lseek(fd, 0, SEEK_SET) == 0, "cannot rewind a file in memory");
    return fd;
}
