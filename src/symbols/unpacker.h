// Unpacker: a section of a file from its beginning onwards, compressed or not, no further than it
// is asked for.
// Compressed is what zlib makes; the checksum at its end is not looked at, since reading seldom
// gets there. ISA-L unpacks it, in 0.4 of the time that zlib takes.
#pragma once

#include <libelf.h>
#include <stddef.h>
#include <stdint.h>

struct inflate_state; // ISA-L's

struct unpacker {
    struct inflate_state *stream; // NULL: it is not compressed
    const uint8_t *packed;        // borrowed from the Elf
    size_t packed_size;
    uint64_t size;     // of the section when it is unpacked: the file's word, but possible
    uint64_t position; // <= size
};

// 0, -ENOMEM, or -ENODATA when it is not compressed in a known way.
int unpacker_init(struct unpacker *self, Elf_Scn *section);
void unpacker_deinit(struct unpacker *self);

// The next `count` bytes. 0, -ENOMEM, or -ENODATA when there are no so many.
int unpacker_read(struct unpacker *self, uint8_t *out, uint64_t count);

// To `position`, which is not before the present one. The same.
int unpacker_skip(struct unpacker *self, uint64_t position);
