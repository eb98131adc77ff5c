#include "cli/elf_facts.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

// Guesses: what is larger is not worth the wait before the program starts.
enum {
    HEADERS_MAX = 4096,   // program headers, sections; large programs have a few dozen
    TABLE_MAX = 64 << 20, // bytes of a table of symbols or strings
    NAME_MAX_BYTES = 4096,
};

struct known_name {
    const char *name;
    const char *means;
};

// Symbols that only the allocator itself defines.
static const struct known_name allocator_symbols[] = {
    {"mallctl", "jemalloc"},
    {"je_mallctl", "jemalloc"},
    {"je_malloc", "jemalloc"},
    {"_rjem_malloc", "jemalloc"},
    {"tc_malloc", "tcmalloc"},
    {"TCMallocInternalMalloc", "tcmalloc"},
    {"MallocExtension_Internal_GetNumericProperty", "tcmalloc"},
    {"mi_malloc", "mimalloc"},
    {"rpmalloc", "rpmalloc"},
    {"dlmalloc", "dlmalloc"},
};
static const struct known_name allocator_libraries[] = {
    {"libjemalloc.so", "jemalloc"},
    {"libtcmalloc", "tcmalloc"},
    {"libmimalloc", "mimalloc"},
};

// Every object that was compiled for one refers to its start; UBSan has no malloc of its own.
static const struct known_name sanitizer_symbols[] = {
    {"__asan_init", "AddressSanitizer"}, {"__hwasan_init", "HWAddressSanitizer"},
    {"__tsan_init", "ThreadSanitizer"},  {"__msan_init", "MemorySanitizer"},
    {"__lsan_init", "LeakSanitizer"},
};
static const struct known_name sanitizer_libraries[] = {
    {"libasan.so", "AddressSanitizer"},     {"libclang_rt.asan", "AddressSanitizer"},
    {"libhwasan.so", "HWAddressSanitizer"}, {"libclang_rt.hwasan", "HWAddressSanitizer"},
    {"libtsan.so", "ThreadSanitizer"},      {"libclang_rt.tsan", "ThreadSanitizer"},
    {"liblsan.so", "LeakSanitizer"},
};
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char *known_find(const struct known_name *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i].name, name) == 0) return names[i].means;
    }
    return NULL;
}

static const char *known_find_prefix(const struct known_name *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strncmp(names[i].name, name, strlen(names[i].name)) == 0) return names[i].means;
    }
    return NULL;
}

static void take_library(struct elf_facts *self, const char *name)
{
    const char *allocator =
        known_find_prefix(allocator_libraries, COUNT(allocator_libraries), name);
    if (allocator) self->allocator_library = allocator;
    const char *sanitizer =
        known_find_prefix(sanitizer_libraries, COUNT(sanitizer_libraries), name);
    if (sanitizer) self->sanitizer = sanitizer;
    if (strncmp(name, "libstdc++.so", 12) == 0 || strncmp(name, "libc++.so", 9) == 0) {
        self->is_cxx = true;
    }
}

static void take_symbol(struct elf_facts *self, const Elf64_Sym *symbol, const char *name,
                        bool is_dynamic)
{
    const bool is_defined = symbol->st_shndx != SHN_UNDEF;
    const bool is_weak = ELF64_ST_BIND(symbol->st_info) == STB_WEAK;
    if (is_defined || !is_weak) {
        const char *sanitizer = known_find(sanitizer_symbols, COUNT(sanitizer_symbols), name);
        // AddressSanitizer contains LeakSanitizer, and is named first.
        if (sanitizer && (!self->sanitizer || sanitizer == sanitizer_symbols[0].means)) {
            self->sanitizer = sanitizer;
        }
    }
    if (!is_defined) return;
    if (is_dynamic && strcmp(name, "malloc") == 0) self->exports_malloc = true;
    if (!self->allocator) {
        self->allocator = known_find(allocator_symbols, COUNT(allocator_symbols), name);
    }
}

static void read_symbols(struct elf_facts *self, const struct byte_source *source,
                         const Elf64_Shdr *table, const Elf64_Shdr *strings)
{
    if (table->sh_entsize != sizeof(Elf64_Sym)) return;
    Elf64_Sym *symbols = byte_source_load(source, table->sh_offset, table->sh_size, TABLE_MAX);
    char *names = byte_source_load(source, strings->sh_offset, strings->sh_size, TABLE_MAX);
    const size_t count = table->sh_size / sizeof *symbols;
    for (size_t i = 0; symbols && names && i < count; i++) {
        if (symbols[i].st_name == 0 || symbols[i].st_name >= strings->sh_size) continue;
        const char *name = names + symbols[i].st_name;
        if (name[0] == '_' && name[1] == 'Z') continue; // C++ has ten thousands, and none of those
        take_symbol(self, &symbols[i], name, table->sh_type == SHT_DYNSYM);
    }
    free(symbols);
    free(names);
}

static bool is_go_section(const struct byte_source *source, const Elf64_Shdr *names, uint32_t at)
{
    static const char wanted[] = ".go.buildinfo";
    char name[sizeof wanted];
    if (at >= names->sh_size || names->sh_size - at < sizeof wanted) return false;
    return byte_source_read(source, names->sh_offset + at, name, sizeof name) &&
           memcmp(name, wanted, sizeof wanted) == 0;
}

static void read_sections(struct elf_facts *self, const struct byte_source *source,
                          const Elf64_Ehdr *header)
{
    const size_t count = header->e_shnum;
    if (header->e_shentsize != sizeof(Elf64_Shdr) || count == 0 || count > HEADERS_MAX) return;
    Elf64_Shdr *sections = byte_source_load(source, header->e_shoff, count * sizeof *sections,
                                            HEADERS_MAX * sizeof *sections);
    if (!sections) return;
    for (size_t i = 0; i < count; i++) {
        if (header->e_shstrndx < count &&
            is_go_section(source, &sections[header->e_shstrndx], sections[i].sh_name)) {
            self->is_go = true;
        }
        const bool has_symbols =
            sections[i].sh_type == SHT_DYNSYM || sections[i].sh_type == SHT_SYMTAB;
        if (has_symbols && sections[i].sh_link < count) {
            read_symbols(self, source, &sections[i], &sections[sections[i].sh_link]);
        }
    }
    free(sections);
}

// Where in the file lies what will be loaded at an address.
static bool file_offset(const Elf64_Phdr *segments, size_t count, uint64_t address,
                        uint64_t *offset_out)
{
    for (size_t i = 0; i < count; i++) {
        const Elf64_Phdr *segment = &segments[i];
        if (segment->p_type != PT_LOAD || address < segment->p_vaddr ||
            address - segment->p_vaddr >= segment->p_filesz) {
            continue;
        }
        return !__builtin_add_overflow(segment->p_offset, address - segment->p_vaddr, offset_out);
    }
    return false;
}

// The names of libraries, and of the file itself where it is one.
static void read_dynamic(struct elf_facts *self, const struct byte_source *source,
                         const Elf64_Phdr *segments, size_t count, const Elf64_Phdr *dynamic)
{
    Elf64_Dyn *entries = byte_source_load(source, dynamic->p_offset, dynamic->p_filesz, TABLE_MAX);
    const size_t entry_count = entries ? dynamic->p_filesz / sizeof *entries : 0;
    uint64_t strings = 0;
    bool has_strings = false;
    for (size_t i = 0; i < entry_count && entries[i].d_tag != DT_NULL; i++) {
        if (entries[i].d_tag != DT_STRTAB) continue;
        has_strings = file_offset(segments, count, entries[i].d_un.d_ptr, &strings);
    }
    for (size_t i = 0; has_strings && i < entry_count && entries[i].d_tag != DT_NULL; i++) {
        if (entries[i].d_tag != DT_NEEDED && entries[i].d_tag != DT_SONAME) continue;
        char name[64] = ""; // enough to know those that matter
        uint64_t at = 0;
        if (__builtin_add_overflow(strings, entries[i].d_un.d_ptr, &at) || at >= source->size) {
            continue;
        }
        const uint64_t left = source->size - at;
        const size_t len = left < sizeof name - 1 ? (size_t)left : sizeof name - 1;
        if (!byte_source_read(source, at, name, len)) continue;
        if (entries[i].d_tag == DT_NEEDED) take_library(self, name);
        if (entries[i].d_tag == DT_SONAME) self->is_loader = strncmp(name, "ld-linux", 8) == 0;
    }
    free(entries);
}

static bool is_outside(const struct byte_source *source, uint64_t offset, uint64_t size)
{
    uint64_t end = 0;
    return __builtin_add_overflow(offset, size, &end) || end > source->size;
}

static void read_segments(struct elf_facts *self, const struct byte_source *source,
                          const Elf64_Ehdr *header)
{
    const size_t count = header->e_phnum;
    if (header->e_phentsize != sizeof(Elf64_Phdr) || count == 0 || count > HEADERS_MAX) return;
    Elf64_Phdr *segments = byte_source_load(source, header->e_phoff, count * sizeof *segments,
                                            HEADERS_MAX * sizeof *segments);
    if (!segments) {
        self->is_cut_off = is_outside(source, header->e_phoff, count * sizeof *segments);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (segments[i].p_type == PT_LOAD &&
            is_outside(source, segments[i].p_offset, segments[i].p_filesz)) {
            self->is_cut_off = true;
        }
        if (segments[i].p_type == PT_DYNAMIC) {
            read_dynamic(self, source, segments, count, &segments[i]);
        }
        if (segments[i].p_type != PT_INTERP) continue;
        self->has_loader = true;
        char *path =
            byte_source_load(source, segments[i].p_offset, segments[i].p_filesz, NAME_MAX_BYTES);
        if (path && strlen(path) < sizeof self->loader) strcpy(self->loader, path);
        free(path);
    }
    free(segments);
}

struct elf_facts elf_facts_read(const struct byte_source *source)
{
    struct elf_facts self = {.kind = ELF_NONE};
    // What comes before e_entry lies at the same place in a 32-bit file, which may be smaller.
    Elf64_Ehdr header = {0};
    const size_t beginning = offsetof(Elf64_Ehdr, e_entry);
    if (!byte_source_read(source, 0, &header, beginning)) return self;
    if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return self;
    self.is_32_bit = header.e_ident[EI_CLASS] == ELFCLASS32;
    self.machine = header.e_machine;
    if (header.e_ident[EI_DATA] == ELFDATA2MSB) {
        self.machine = (uint16_t)(header.e_machine >> 8 | header.e_machine << 8);
    }
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
        header.e_machine != EM_X86_64) {
        self.kind = ELF_FOREIGN;
        return self;
    }
    if (!byte_source_read(source, 0, &header, sizeof header)) {
        self.kind = ELF_NATIVE;
        self.is_cut_off = true;
        return self;
    }
    if (header.e_type != ET_EXEC && header.e_type != ET_DYN) return self;
    self.kind = ELF_NATIVE;
    read_segments(&self, source, &header);
    read_sections(&self, source, &header);
    return self;
}
