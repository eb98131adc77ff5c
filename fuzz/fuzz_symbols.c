// Any bytes as an ELF file, read in this process: nothing crashes, and the names that come are of
// offsets that were asked for. What elfutils itself does with such files is part of the question.
#include "symbols/fold.h"
#include "symbols/symbols.h"

#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

// The samples' code lies between 512 bytes and 2 KiB.
enum { OFFSETS = 256, STEP = 7 };

static void require(int condition)
{
    if (!condition) abort();
}

// A few bytes of a section, at the seed's choice: what stands in sections is read by elfutils,
// whose branches the fuzzer does not see, and changes elsewhere seldom get that far.
static int mutate_section(uint8_t *data, size_t size, unsigned seed)
{
    enum { BYTES_MAX = 32 };
    Elf64_Ehdr header;
    Elf64_Shdr section;
    if (size < sizeof header) return 0;
    memcpy(&header, data, sizeof header);
    if (header.e_shnum == 0 || header.e_shoff > size) return 0;
    size_t at = header.e_shoff + (seed >> 4) % header.e_shnum * sizeof section;
    if (at > size || size - at < sizeof section) return 0;
    memcpy(&section, data + at, sizeof section);
    if (section.sh_offset > size || section.sh_size > size - section.sh_offset) return 0;
    if (section.sh_size == 0 || section.sh_type == SHT_NOBITS) return 0;
    size_t place = section.sh_offset + (seed >> 12) % section.sh_size;
    size_t left = section.sh_offset + section.sh_size - place;
    size_t count = left < BYTES_MAX ? left : BYTES_MAX;
    (void)LLVMFuzzerMutate(data + place, count, count); // shorter or not, it stays in its place
    return 1;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    if (seed % 4 != 0 && mutate_section(data, size, seed)) return size;
    return LLVMFuzzerMutate(data, size, max_size);
}

static void look(const struct symbols_name *name)
{
    for (size_t i = 0; i < name->count; i++) {
        const struct symbols_line *line = &name->lines[i];
        require(line->function && line->file);
        require(line->is_inlined == (i + 1 < name->count) || name->count >= 256);
        char *folded = fold(line->function);
        require(folded && strlen(folded) <= strlen(line->function));
        free(folded);
    }
}

// Addresses that DWARF names are asked for once more, without those that nothing holds: of a file
// whose DWARF is compressed an excerpt is read then.
static void resolve_named(struct symbols *symbols, size_t index, const uint64_t *offsets,
                          const struct symbols_name *names)
{
    uint64_t named[OFFSETS];
    struct symbols_name again[OFFSETS];
    size_t count = 0;
    for (size_t i = 0; i < OFFSETS; i++) {
        if (names[i].count > 0 && names[i].lines[0].line > 0) named[count++] = offsets[i];
    }
    require(symbols_resolve(symbols, index, named, count, again) == 0);
    for (size_t i = 0; i < count; i++) look(&again[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    require(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    char path[32];
    snprintf(path, sizeof path, "/%d", fd);
    // Below that root there is nothing else to be found.
    const struct symbols_options options = {
        .root = "/proc/self/fd",
        .no_debuginfod = true,
        .in_process = true,
    };
    struct symbols *symbols = symbols_create(&options);
    struct symbols_module module = {.path = path};
    size_t index = 0;
    uint64_t offsets[OFFSETS];
    struct symbols_name names[OFFSETS];
    for (size_t i = 0; i < OFFSETS; i++) offsets[i] = i * STEP;
    require(symbols && symbols_add_module(symbols, &module, &index) == 0);
    require(symbols_resolve(symbols, index, offsets, OFFSETS, names) == 0);
    for (size_t i = 0; i < OFFSETS; i++) look(&names[i]);
    resolve_named(symbols, index, offsets, names);
    symbols_destroy(symbols);
    close(fd);
    return 0;
}
