// Strings: each text once, terminated, for as long as the set lives; equal texts are one pointer.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct strings_chunk;

// used * 2 <= place_count, a power of two or 0
struct strings {
    const char **places;
    size_t place_count;
    size_t used;
    struct strings_chunk *chunks; // the newest first
};

void strings_deinit(struct strings *self);

// `size` bytes up to the first zero. NULL for want of memory.
const char *strings_add(struct strings *self, const char *bytes, size_t size);
