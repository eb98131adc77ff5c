// Sample: builds recordings row by row, for tests and for the fuzzer's corpus. Knows the format by
// tables.h and description.h alone, not by the writer or the reader. Aborts for want of memory.
#pragma once

#include "record/tables.h"

#include <stddef.h>
#include <stdint.h>

struct sample_table {
    char *rows;
    size_t count;
    size_t capacity;
};

// Row 0 of `process` is there from the beginning.
struct sample {
    struct sample_table tables[RECORD_TABLE_COUNT];
};

void sample_init(struct sample *self);
void sample_deinit(struct sample *self);

// A new row of zeroes; it may move when the next is added.
void *sample_add(struct sample *self, enum record_table table);
struct record_process *sample_process(struct sample *self);
struct record_row *sample_row_at(struct sample *self, size_t index);

struct record_text sample_text(struct sample *self, const char *text);
struct record_text sample_bytes_text(struct sample *self, const void *bytes, size_t size);

// Each returns the index of its new row.
uint32_t sample_module(struct sample *self, const char *path);
uint32_t sample_thread(struct sample *self, uint32_t tid, const char *name);
// A frame with one line; `function` NULL: without names.
uint32_t sample_frame(struct sample *self, uint32_t module, uint64_t offset, const char *function,
                      const char *file, uint32_t line);
// One more line to the newest frame: what the lines before it were inlined into.
void sample_outer_line(struct sample *self, const char *function, const char *file, uint32_t line);
// The mangled name of the newest line's function.
void sample_linkage(struct sample *self, const char *linkage);
uint32_t sample_node(struct sample *self, uint32_t parent, uint32_t frame);
// A site with a stack of its own nodes, innermost frame first.
uint32_t sample_site(struct sample *self, size_t count, const uint32_t *frames);
#define SAMPLE_SITE(self, ...)                                                                     \
    sample_site(self, sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t),                        \
                (uint32_t[]){__VA_ARGS__})
// A row with `allocations` blocks of `size` bytes each, of which `frees` were freed again.
uint32_t sample_row(struct sample *self, uint32_t site, uint32_t thread, uint64_t allocations,
                    uint64_t size, uint64_t frees);

// The process's and the threads' totals and the peak (now), as the rows make them.
void sample_total(struct sample *self);

// The whole file; to be freed. Its header is at its beginning.
uint8_t *sample_file(const struct sample *self, size_t *size_out);

// Writes bytes to a new temporary file and returns its descriptor, at its beginning.
int sample_descriptor(const uint8_t *bytes, size_t size);
