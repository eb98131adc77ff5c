// ELF file: opened for reading, with what elfutils should not be shown refused before.
// Only ELF files of 64 bits and little-endian that were linked (executables, shared objects and the
// debug files of either) whose headers lie within the file.
#pragma once

#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_file {
    int fd; // -1 when not open
    Elf *elf;
    char *path;
};

#define ELF_FILE_CLOSED ((struct elf_file){.fd = -1})

// 0; what open() said; -ENOEXEC when it is no such file; -ENOMEM. Takes a descriptor, if not -1,
// instead of opening the path, also when it fails.
int elf_file_open(const char *path, int fd, struct elf_file *out);
void elf_file_close(struct elf_file *self);

// Whether it has this build-id; with `size` 0, whether it has none.
bool elf_file_has_build_id(const struct elf_file *self, const uint8_t *id, size_t size);

// The checksum of the whole file, as .gnu_debuglink has it. 0 or -errno.
int elf_file_checksum(const struct elf_file *self, uint32_t *checksum_out);

// The section of this name with bytes in the file, borrowed until close; NULL for none.
Elf_Scn *elf_file_section(const struct elf_file *self, const char *name);
bool elf_file_has_section(const struct elf_file *self, const char *name);

// The lowest address of code and the end of the highest, by the program headers.
void elf_file_code(const struct elf_file *self, uint64_t *start_out, uint64_t *end_out);
