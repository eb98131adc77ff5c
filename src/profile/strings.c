#include "profile/strings.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK_SIZE = 1 << 16 }; // holds about a thousand names

struct strings_chunk {
    struct strings_chunk *next;
    size_t used;
    size_t capacity;
    char bytes[];
};

void strings_deinit(struct strings *self)
{
    while (self->chunks) {
        struct strings_chunk *chunk = self->chunks;
        self->chunks = chunk->next;
        free(chunk);
    }
    free(self->places);
    *self = (struct strings){0};
}

static char *take(struct strings *self, size_t size)
{
    struct strings_chunk *chunk = self->chunks;
    if (!chunk || size > chunk->capacity - chunk->used) {
        const size_t capacity = size > CHUNK_SIZE ? size : CHUNK_SIZE;
        chunk = malloc(sizeof *chunk + capacity);
        if (!chunk) return NULL;
        *chunk = (struct strings_chunk){.next = self->chunks, .capacity = capacity};
        self->chunks = chunk;
    }
    char *bytes = chunk->bytes + chunk->used;
    chunk->used += size;
    return bytes;
}

static uint64_t hash_of(const char *bytes, size_t size)
{
    uint64_t hash = 14695981039346656037u; // FNV-1a
    for (size_t i = 0; i < size; i++) hash = (hash ^ (uint8_t)bytes[i]) * 1099511628211u;
    return hash ^ hash >> 32;
}

static const char **place_find(struct strings *self, const char *bytes, size_t size)
{
    size_t i = hash_of(bytes, size) & (self->place_count - 1);
    for (;; i = (i + 1) & (self->place_count - 1)) {
        const char *text = self->places[i];
        if (!text || (strncmp(text, bytes, size) == 0 && text[size] == '\0')) {
            return &self->places[i];
        }
    }
}

static int grow(struct strings *self)
{
    if (self->used * 2 < self->place_count) return 1;
    struct strings larger = *self;
    larger.place_count = self->place_count ? self->place_count * 2 : 1024;
    larger.places = calloc(larger.place_count, sizeof *larger.places);
    if (!larger.places) return 0;
    for (size_t i = 0; i < self->place_count; i++) {
        const char *text = self->places[i];
        if (text) *place_find(&larger, text, strlen(text)) = text;
    }
    free(self->places);
    *self = larger;
    return 1;
}

const char *strings_add(struct strings *self, const char *bytes, size_t size)
{
    const char *zero = size > 0 ? memchr(bytes, '\0', size) : NULL;
    if (zero) size = (size_t)(zero - bytes);
    if (!grow(self)) return NULL;
    const char **place = place_find(self, bytes, size);
    if (*place) return *place;
    char *text = take(self, size + 1);
    if (!text) return NULL;
    memcpy(text, bytes, size);
    text[size] = '\0';
    *place = text;
    self->used++;
    return text;
}
