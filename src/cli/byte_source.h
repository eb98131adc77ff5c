// Byte source: bytes from outside that are read piece by piece: a file that may be large, may not
// be what it claims, and may change meanwhile. Nothing is read outside 0 .. size.
// Not thread-safe. Belongs to the command line.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct byte_source {
    uint64_t size;
    int fd;                // read where memory is NULL
    const uint8_t *memory; // or these bytes
};

// A file that is open for reading, borrowed. 0 or -errno; what is no regular file is -EINVAL.
int byte_source_of_file(struct byte_source *self, int fd);
struct byte_source byte_source_of_memory(const void *bytes, size_t size);

// False when not all of these bytes are there.
bool byte_source_read(const struct byte_source *self, uint64_t offset, void *buffer, size_t size);

// The same in a buffer to be freed, with a 0 behind it; NULL when not all of these bytes are there,
// for want of memory, and past `limit`.
void *byte_source_load(const struct byte_source *self, uint64_t offset, uint64_t size,
                       size_t limit);
