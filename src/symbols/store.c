#include "symbols/store.h"

#include "base/align.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Large enough that chunks are few, small enough that an object for one frame is cheap (a guess).
enum { CHUNK_SIZE = 1 << 16, FIRST_BUCKETS = 1 << 8 };

struct store_chunk {
    struct store_chunk *next;
    size_t size;
    size_t used; // used <= size
    _Alignas(max_align_t) char bytes[];
};

struct store_string {
    struct store_string *next; // in its bucket
    uint64_t hash;
    size_t len;
    char text[];
};

void store_init(struct store *self)
{
    memset(self, 0, sizeof *self);
}

void store_deinit(struct store *self)
{
    while (self->chunks) {
        struct store_chunk *next = self->chunks->next;
        free(self->chunks);
        self->chunks = next;
    }
    free(self->buckets);
    store_init(self);
}

static struct store_chunk *add_chunk(struct store *self, size_t size)
{
    size_t room = size > CHUNK_SIZE / 4 ? size : CHUNK_SIZE;
    struct store_chunk *chunk = malloc(sizeof *chunk + room);
    if (!chunk) return NULL;
    chunk->size = room;
    chunk->used = 0;
    // A large object has a chunk of its own; the one in use stays in use.
    if (room == size && self->chunks) {
        chunk->next = self->chunks->next;
        self->chunks->next = chunk;
    } else {
        chunk->next = self->chunks;
        self->chunks = chunk;
    }
    return chunk;
}

void *store_take(struct store *self, size_t size)
{
    if (size > SIZE_MAX / 2) {
        errno = ENOMEM;
        return NULL;
    }
    size = align_up(size, _Alignof(max_align_t));
    struct store_chunk *chunk = self->chunks;
    if (!chunk || chunk->size - chunk->used < size) chunk = add_chunk(self, size);
    if (!chunk) return NULL;
    void *taken = chunk->bytes + chunk->used;
    chunk->used += size;
    return memset(taken, 0, size);
}

// FNV-1a: short, and good enough for names.
static uint64_t hash_of(const char *text, size_t len)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < len; i++) hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3u;
    return hash ^ hash >> 32;
}

static int grow(struct store *self)
{
    size_t count = self->bucket_count ? self->bucket_count * 2 : FIRST_BUCKETS;
    struct store_string **buckets = calloc(count, sizeof(struct store_string *));
    if (!buckets) return -1;
    for (size_t i = 0; i < self->bucket_count; i++) {
        struct store_string *string = self->buckets[i];
        while (string) {
            struct store_string *next = string->next;
            struct store_string **bucket = &buckets[string->hash & (count - 1)];
            string->next = *bucket;
            *bucket = string;
            string = next;
        }
    }
    free(self->buckets);
    self->buckets = buckets;
    self->bucket_count = count;
    return 0;
}

const char *store_string(struct store *self, const char *text, size_t len)
{
    if (self->string_count == self->bucket_count && grow(self) < 0) return NULL;
    uint64_t hash = hash_of(text, len);
    struct store_string **bucket = &self->buckets[hash & (self->bucket_count - 1)];
    for (struct store_string *string = *bucket; string; string = string->next) {
        if (string->hash == hash && string->len == len && memcmp(string->text, text, len) == 0) {
            return string->text;
        }
    }
    struct store_string *string = store_take(self, sizeof *string + len + 1);
    if (!string) return NULL;
    string->hash = hash;
    string->len = len;
    memcpy(string->text, text, len);
    string->next = *bucket;
    *bucket = string;
    self->string_count++;
    return string->text;
}
