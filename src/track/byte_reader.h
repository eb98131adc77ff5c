// Byte reader: takes numbers as DWARF writes them from bytes that may be anything.
// Invariant: start <= at <= end. What would lie past the end is not read: it is 0, and has_failed
// says so from then on.
#pragma once

#include "base/attributes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct byte_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool has_failed;
};

// At most that many bytes from where `self` is; fewer when it ends before.
static inline struct byte_reader byte_reader_part(const struct byte_reader *self, uint64_t size)
{
    uint64_t left = (uint64_t)(self->end - self->at);
    return (struct byte_reader){.at = self->at, .end = self->at + (size < left ? size : left)};
}

static inline void byte_reader_skip(struct byte_reader *self, uint64_t size)
{
    if (size > (uint64_t)(self->end - self->at)) {
        self->has_failed = true;
        self->at = self->end;
        return;
    }
    self->at += size;
}

// A little-endian number of `size` <= 8 bytes.
static inline uint64_t byte_reader_number(struct byte_reader *self, unsigned size)
{
    const uint8_t *at = self->at;
    byte_reader_skip(self, size);
    if (self->has_failed) return 0;
    uint64_t number = 0;
    __builtin_memcpy(&number, at, size);
    return number;
}

// The same, with the sign bit of its size.
static inline int64_t byte_reader_signed(struct byte_reader *self, unsigned size)
{
    unsigned unused = 64 - 8 * size;
    return (int64_t)(byte_reader_number(self, size) << unused) >> unused;
}

// Base 128, lowest first. Bits past 64 are dropped.
static inline uint64_t byte_reader_uleb(struct byte_reader *self)
{
    uint64_t number = 0;
    unsigned shift = 0;
    uint8_t byte;
    do {
        byte = (uint8_t)byte_reader_number(self, 1);
        if (shift < 64) number |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    return number;
}

static inline int64_t byte_reader_sleb(struct byte_reader *self)
{
    uint64_t number = 0;
    unsigned shift = 0;
    uint8_t byte;
    do {
        byte = (uint8_t)byte_reader_number(self, 1);
        if (shift < 64) number |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    if (shift < 64 && (byte & 0x40)) number |= ~UINT64_C(0) << shift;
    return (int64_t)number;
}
