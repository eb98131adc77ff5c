#include "symbols/unpacker.h"

#include <errno.h>
#include <gelf.h>
#include <isa-l/igzip_lib.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// Deflate's header in zlib's clothes: the method, the window and a check of both, a dictionary's
// bit.
enum { ZLIB_HEADER_SIZE = 2, ZLIB_METHOD = 8, ZLIB_CHECK = 31, ZLIB_HAS_DICTIONARY = 0x20 };

// A byte of deflate never becomes more.
enum { DEFLATE_RATIO_MAX = 1032 };

static bool is_zlib(const uint8_t *header)
{
    return (header[0] & 15) == ZLIB_METHOD && (header[0] * 256 + header[1]) % ZLIB_CHECK == 0 &&
           !(header[1] & ZLIB_HAS_DICTIONARY);
}

// Looks past the headers.
static int begin(struct unpacker *self)
{
    Elf64_Chdr header;
    if (self->packed_size < sizeof header + ZLIB_HEADER_SIZE) return -ENODATA;
    memcpy(&header, self->packed, sizeof header);
    self->packed += sizeof header;
    self->packed_size -= sizeof header;
    if (header.ch_type != ELFCOMPRESS_ZLIB || !is_zlib(self->packed)) return -ENODATA;
    self->packed += ZLIB_HEADER_SIZE;
    self->packed_size -= ZLIB_HEADER_SIZE;
    if (header.ch_size / DEFLATE_RATIO_MAX > self->packed_size) return -ENODATA;
    self->size = header.ch_size;
    self->stream = malloc(sizeof *self->stream);
    if (!self->stream) return -ENOMEM;
    isal_inflate_init(self->stream);
    self->stream->crc_flag = ISAL_DEFLATE; // without a header
    return 0;
}

int unpacker_init(struct unpacker *self, Elf_Scn *section)
{
    memset(self, 0, sizeof *self);
    GElf_Shdr header;
    const Elf_Data *data = elf_rawdata(section, NULL);
    if (!data || !data->d_buf || !gelf_getshdr(section, &header)) return -ENODATA;
    self->packed = data->d_buf;
    self->packed_size = data->d_size;
    if (header.sh_flags & SHF_COMPRESSED) return begin(self);
    self->size = data->d_size;
    return 0;
}

void unpacker_deinit(struct unpacker *self)
{
    free(self->stream);
    memset(self, 0, sizeof *self);
}

// ISA-L counts in 32 bits.
static uint32_t clamped(uint64_t count)
{
    return count < INT_MAX ? (uint32_t)count : INT_MAX;
}

static int inflate_next(struct unpacker *self, uint8_t *out, uint64_t count)
{
    struct inflate_state *stream = self->stream;
    while (count > 0) {
        const uint32_t given = clamped(self->packed_size);
        const uint32_t wanted = clamped(count);
        stream->next_in = (uint8_t *)self->packed; // it is only read
        stream->avail_in = given;
        stream->next_out = out;
        stream->avail_out = wanted;
        const int result = isal_inflate(stream);
        const uint32_t got = wanted - stream->avail_out;
        const uint32_t taken = given - stream->avail_in;
        self->packed += taken;
        self->packed_size -= taken;
        self->position += got;
        out += got;
        count -= got;
        const bool is_over = got == 0 && taken == 0; // the stream, or what there is of it
        if (result != ISAL_DECOMP_OK || (is_over && count > 0)) return -ENODATA;
    }
    return 0;
}

int unpacker_read(struct unpacker *self, uint8_t *out, uint64_t count)
{
    if (count > self->size - self->position) return -ENODATA;
    if (self->stream) return inflate_next(self, out, count);
    memcpy(out, self->packed + self->position, count);
    self->position += count;
    return 0;
}

int unpacker_skip(struct unpacker *self, uint64_t position)
{
    uint8_t part[16384];
    if (position > self->size || position < self->position) return -ENODATA;
    if (!self->stream) self->position = position;
    while (self->position < position) {
        const uint64_t left = position - self->position;
        const int error = unpacker_read(self, part, left < sizeof part ? left : sizeof part);
        if (error) return error;
    }
    return 0;
}
