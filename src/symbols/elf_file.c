#include "symbols/elf_file.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// Whether a table of `count` rows lies within `size` bytes.
static bool fits(uint64_t offset, uint64_t count, uint64_t row_size, uint64_t size)
{
    return offset <= size && count <= (size - offset) / row_size;
}

static bool is_header_good(const Elf64_Ehdr *header, uint64_t size)
{
    const unsigned char *ident = header->e_ident;
    if (memcmp(ident, ELFMAG, SELFMAG) != 0 || ident[EI_CLASS] != ELFCLASS64 ||
        ident[EI_DATA] != ELFDATA2LSB || ident[EI_VERSION] != EV_CURRENT) {
        return false;
    }
    if (header->e_type != ET_EXEC && header->e_type != ET_DYN) return false;
    if (header->e_phnum > 0 &&
        (header->e_phentsize != sizeof(Elf64_Phdr) ||
         !fits(header->e_phoff, header->e_phnum, sizeof(Elf64_Phdr), size))) {
        return false;
    }
    return header->e_shoff == 0 ||
           (header->e_shentsize == sizeof(Elf64_Shdr) &&
            fits(header->e_shoff, header->e_shnum ? header->e_shnum : 1, sizeof(Elf64_Shdr), size));
}

// Whether the file behind the descriptor may be handed to libelf.
static int look(int fd)
{
    struct stat status;
    if (fstat(fd, &status) < 0) return -errno;
    if (!S_ISREG(status.st_mode)) return -ENOEXEC;
    Elf64_Ehdr header;
    ssize_t got = pread(fd, &header, sizeof header, 0);
    if (got < 0) return -errno;
    if ((size_t)got < sizeof header) return -ENOEXEC;
    return is_header_good(&header, (uint64_t)status.st_size) ? 0 : -ENOEXEC;
}

int elf_file_open(const char *path, int fd, struct elf_file *out)
{
    struct elf_file file = {.fd = fd};
    // A pipe at that path must not hold us up.
    if (fd < 0) file.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file.fd < 0) return -errno;
    int error = look(file.fd);
    if (error) goto close_file;
    (void)elf_version(EV_CURRENT); // it knows this one
    file.elf = elf_begin(file.fd, ELF_C_READ_MMAP, NULL);
    if (!file.elf || elf_kind(file.elf) != ELF_K_ELF) {
        error = -ENOEXEC;
        goto close_file;
    }
    file.path = strdup(path);
    if (!file.path) {
        error = -ENOMEM;
        goto close_file;
    }
    *out = file;
    return 0;

close_file:
    elf_file_close(&file);
    return error;
}

void elf_file_close(struct elf_file *self)
{
    if (self->elf) (void)elf_end(self->elf);  // the count of its users is of no interest
    if (self->fd >= 0) (void)close(self->fd); // it was only read
    free(self->path);
    *self = ELF_FILE_CLOSED;
}

bool elf_file_has_build_id(const struct elf_file *self, const uint8_t *id, size_t size)
{
    const void *found;
    ssize_t found_size = dwelf_elf_gnu_build_id(self->elf, &found);
    if (found_size <= 0) return size == 0;
    return (size_t)found_size == size && memcmp(found, id, size) == 0;
}

// CRC-32 of the polynomial that zlib and Ethernet have, a nibble at a time.
static uint32_t checksum_add(uint32_t sum, const uint8_t *bytes, size_t size)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    for (size_t i = 0; i < size; i++) {
        sum ^= bytes[i];
        sum = sum >> 4 ^ table[sum & 15];
        sum = sum >> 4 ^ table[sum & 15];
    }
    return sum;
}

int elf_file_checksum(const struct elf_file *self, uint32_t *checksum_out)
{
    enum { PART = 1 << 16 };
    uint8_t *part = malloc(PART);
    if (!part) return -ENOMEM;
    uint32_t sum = UINT32_MAX;
    off_t offset = 0;
    ssize_t got;
    while ((got = pread(self->fd, part, PART, offset)) > 0) {
        sum = checksum_add(sum, part, (size_t)got);
        offset += got;
    }
    int error = got < 0 ? -errno : 0;
    free(part);
    if (error) return error;
    *checksum_out = ~sum;
    return 0;
}

Elf_Scn *elf_file_section(const struct elf_file *self, const char *name)
{
    size_t names;
    if (elf_getshdrstrndx(self->elf, &names) < 0) return NULL;
    Elf_Scn *section = NULL;
    while ((section = elf_nextscn(self->elf, section)) != NULL) {
        GElf_Shdr header;
        if (!gelf_getshdr(section, &header) || header.sh_type == SHT_NOBITS) continue;
        const char *found = elf_strptr(self->elf, names, header.sh_name);
        if (found && strcmp(found, name) == 0) return header.sh_size > 0 ? section : NULL;
    }
    return NULL;
}

bool elf_file_has_section(const struct elf_file *self, const char *name)
{
    return elf_file_section(self, name) != NULL;
}

void elf_file_code(const struct elf_file *self, uint64_t *start_out, uint64_t *end_out)
{
    uint64_t start = UINT64_MAX;
    uint64_t end = 0;
    size_t count;
    if (elf_getphdrnum(self->elf, &count) < 0) count = 0;
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr header;
        if (!gelf_getphdr(self->elf, (int)i, &header)) break;
        if (header.p_type != PT_LOAD || !(header.p_flags & PF_X)) continue;
        if (header.p_vaddr < start) start = header.p_vaddr;
        if (header.p_vaddr + header.p_memsz > end) end = header.p_vaddr + header.p_memsz;
    }
    // The file's own header stands first in memory too, and zero is where linkers send the debug
    // information of functions that they threw away.
    *start_out = start < sizeof(Elf64_Ehdr) ? sizeof(Elf64_Ehdr) : start;
    *end_out = end;
    if (start == UINT64_MAX) {
        *start_out = sizeof(Elf64_Ehdr);
        *end_out = UINT64_MAX;
    }
}
