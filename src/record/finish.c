#include "record/finish.h"

#include "base/align.h"
#include "os/file.h"
#include "record/description.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Texts that are stored once: open addressing, a power of two of places, at most half of them
// taken.
struct texts {
    struct record_byte *bytes;
    size_t size;
    size_t capacity;
    struct record_text *places; // size 0: free
    size_t place_count;
    size_t taken;
};

struct naming {
    struct texts texts;
    struct record_name *names;
    struct record_line *lines;
    size_t line_count;
    size_t line_capacity;
};

static uint64_t hash_of(const void *bytes, size_t size)
{
    uint64_t hash = 14695981039346656037u; // FNV-1a
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ ((const uint8_t *)bytes)[i]) * 1099511628211u;
    }
    return hash ^ hash >> 32;
}

// Makes an array hold `want` members, at least twice what it held. False for want of memory.
static bool reserve(void **array, size_t *capacity, size_t want, size_t size)
{
    if (want <= *capacity) return true;
    size_t larger = *capacity * 2 < 64 ? 64 : *capacity * 2;
    if (larger < want) larger = want;
    void *moved = reallocarray(*array, larger, size);
    if (!moved) return false;
    *array = moved;
    *capacity = larger;
    return true;
}

static struct record_text *place_find(struct texts *self, const char *text, size_t size)
{
    size_t i = hash_of(text, size) & (self->place_count - 1);
    for (;; i = (i + 1) & (self->place_count - 1)) {
        struct record_text *place = &self->places[i];
        if (place->size == 0) return place;
        if (place->size == size && memcmp(&self->bytes[place->offset], text, size) == 0) {
            return place;
        }
    }
}

static bool places_grow(struct texts *self)
{
    if (self->taken * 2 < self->place_count) return true;
    struct texts larger = *self;
    larger.place_count = self->place_count ? self->place_count * 2 : 1024;
    larger.places = calloc(larger.place_count, sizeof *larger.places);
    if (!larger.places) return false;
    for (size_t i = 0; i < self->place_count; i++) {
        const struct record_text text = self->places[i];
        if (text.size == 0) continue;
        *place_find(&larger, (const char *)&self->bytes[text.offset], text.size) = text;
    }
    free(self->places);
    *self = larger;
    return true;
}

static bool text_store(struct texts *self, const char *text, struct record_text *text_out)
{
    *text_out = (struct record_text){0};
    const size_t size = text ? strlen(text) : 0;
    if (size == 0 || size >= UINT32_MAX - self->size) return true;
    if (!places_grow(self)) return false;
    struct record_text *place = place_find(self, text, size);
    if (place->size == 0) {
        void *bytes = self->bytes;
        if (!reserve(&bytes, &self->capacity, self->size + size, 1)) return false;
        self->bytes = bytes;
        memcpy(&self->bytes[self->size], text, size);
        *place = (struct record_text){.offset = (uint32_t)self->size, .size = (uint32_t)size};
        self->size += size;
        self->taken++;
    }
    *text_out = *place;
    return true;
}

// The texts of the names that are there may be had again.
static bool texts_know(struct texts *self, const struct record_text *text)
{
    if (text->size == 0) return true;
    if (!places_grow(self)) return false;
    struct record_text *place =
        place_find(self, (const char *)&self->bytes[text->offset], text->size);
    self->taken += place->size == 0;
    *place = *text;
    return true;
}

static bool names_know(struct texts *self, const struct recording *recording)
{
    bool is_fine = true;
    for (size_t i = 0; is_fine && i < recording->lines_count; i++) {
        const struct record_line *line = &recording->lines[i];
        is_fine = texts_know(self, &line->function) && texts_know(self, &line->linkage) &&
                  texts_know(self, &line->file);
    }
    return is_fine;
}

static bool frame_name(struct naming *self, size_t frame, const struct finish_line *lines,
                       size_t count)
{
    if (self->line_count + count >= RECORD_NONE) return true; // the rest stay without names
    void *array = self->lines;
    if (!reserve(&array, &self->line_capacity, self->line_count + count, sizeof *self->lines)) {
        return false;
    }
    self->lines = array;
    self->names[frame] = (struct record_name){
        .first = (uint32_t)self->line_count,
        .count = (uint32_t)count,
    };
    for (size_t i = 0; i < count; i++) {
        struct record_line *line = &self->lines[self->line_count++];
        *line = (struct record_line){.line = lines[i].line, .is_inlined = lines[i].is_inlined};
        if (!text_store(&self->texts, lines[i].function, &line->function)) return false;
        if (!text_store(&self->texts, lines[i].linkage, &line->linkage)) return false;
        if (!text_store(&self->texts, lines[i].file, &line->file)) return false;
    }
    return true;
}

int finish_names(struct recording *self, finish_namer namer, void *context)
{
    struct naming naming = {.names = calloc(self->frames_count + 1, sizeof *naming.names)};
    struct finish_line *lines = calloc(FINISH_LINES_MAX, sizeof *lines);
    naming.lines = calloc(1, sizeof *naming.lines);
    naming.line_capacity = 1;
    // The texts that are there stay where they are: others point to them.
    naming.texts.bytes = malloc(self->bytes_count + 1);
    naming.texts.capacity = self->bytes_count + 1;
    bool is_fine = naming.names && naming.lines && lines && naming.texts.bytes;
    if (is_fine) {
        memcpy(naming.texts.bytes, self->bytes, self->bytes_count);
        naming.texts.size = self->bytes_count;
        is_fine = names_know(&naming.texts, self);
    }
    for (size_t i = 0; is_fine && i < self->frames_count; i++) {
        const size_t count = namer(context, self, i, lines, FINISH_LINES_MAX);
        is_fine =
            frame_name(&naming, i, lines, count < FINISH_LINES_MAX ? count : FINISH_LINES_MAX);
    }
    free(lines);
    free(naming.texts.places);
    if (!is_fine) {
        free(naming.names);
        free(naming.lines);
        free(naming.texts.bytes);
        return -ENOMEM;
    }
    free(self->names);
    free(self->lines);
    free(self->bytes);
    self->names = naming.names;
    self->names_count = self->frames_count;
    self->lines = naming.lines;
    self->lines_count = naming.line_count;
    self->bytes = naming.texts.bytes;
    self->bytes_count = naming.texts.size;
    return 0;
}

void finish_run(struct recording *self, uint64_t run, uint32_t command_pid)
{
    self->process->is_over = 1;
    self->process->run = run;
    self->process->run_pid = command_pid;
}

void finish_status(struct recording *self, const struct process_end *end)
{
    struct record_process *process = self->process;
    const uint64_t begin_ms = process->clock_monotonic_ms;
    const uint64_t own_ms = end->end_ms > begin_ms ? end->end_ms - begin_ms : 0;
    const bool is_younger = process->image > 1 && own_ms < end->duration_ms;
    process->state = RECORD_WAITED;
    process->status = (uint32_t)end->status;
    process->duration_ms = is_younger ? own_ms : end->duration_ms;
}

int finish_write(const struct recording *self, int fd)
{
#define ROWS(table, row, columns) [RECORD_TABLE_##table] = self->table,
#define ROW_COUNT(table, row, columns) [RECORD_TABLE_##table] = self->table##_count,
    const void *const rows[] = {RECORD_TABLES(ROWS)};
    const size_t counts[] = {RECORD_TABLES(ROW_COUNT)};
    static const char padding[RECORD_HEADER_SIZE] = {0};

    struct record_header *header = calloc(1, RECORD_HEADER_SIZE);
    if (!header) return -ENOMEM;
    record_describe(header);
    uint64_t end = RECORD_HEADER_SIZE;
    for (size_t i = 0; i < RECORD_TABLE_COUNT; i++) {
        header->tables[i].offset = end;
        header->tables[i].capacity = counts[i];
        header->tables[i].count = counts[i];
        end = align_up(end + counts[i] * header->tables[i].row_size, 8);
    }
    int error = file_write(fd, header, RECORD_HEADER_SIZE);
    for (size_t i = 0; i < RECORD_TABLE_COUNT && !error; i++) {
        const size_t size = counts[i] * header->tables[i].row_size;
        error = file_write(fd, rows[i], size);
        if (!error) error = file_write(fd, padding, align_up(size, 8) - size);
    }
    free(header);
    return error;
}
