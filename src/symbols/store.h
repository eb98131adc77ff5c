// Store: what a symbols object has given out, kept until the object is destroyed.
// Strings are interned: equal ones are one, so that pointers may be compared. Memory comes in
// chunks and goes all at once. Not thread-safe: it belongs to its symbols object.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct store_chunk;
struct store_string;

struct store {
    struct store_chunk *chunks; // the newest first
    struct store_string **buckets;
    size_t bucket_count; // a power of two, or 0 before the first string
    size_t string_count; // string_count <= bucket_count
};

void store_init(struct store *self);
void store_deinit(struct store *self);

// Zeroed memory aligned for any struct; NULL with ENOMEM.
void *store_take(struct store *self, size_t size);

// The one copy of `len` bytes, with a zero after them; NULL with ENOMEM.
const char *store_string(struct store *self, const char *text, size_t len);
