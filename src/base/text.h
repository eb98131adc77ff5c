// Text: lines built in a caller's buffer without stdio, locale or allocation.
// Invariants: length < capacity and bytes[length] == 0; what does not fit is cut off silently,
// since a shortened last word is better than no line at all. A text is a plain value of its owner.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct text {
    char *bytes;
    size_t capacity;
    size_t length;
};

// Begins an empty text in `buffer`, of which `capacity` (at least 1) bytes may be written.
struct text text_in(char *buffer, size_t capacity);

void text_add(struct text *self, const char *words);
void text_add_decimal(struct text *self, uint64_t value);
// With the prefix 0x, no leading zeroes.
void text_add_hex(struct text *self, uint64_t value);
