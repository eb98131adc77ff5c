#include "symbols/symbol_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// The files were found before; the reader is not to look for more.
static int find_nothing(Dwfl_Module *module, void **context, const char *name, uint64_t base,
                        const char *file, const char *link, GElf_Word checksum, char **path_out)
{
    (void)module;
    (void)context;
    (void)name;
    (void)base;
    (void)file;
    (void)link;
    (void)checksum;
    (void)path_out;
    return -1;
}

// 0 for what is no code. Assembly's labels are of no type.
static int score(const GElf_Sym *symbol)
{
    int type = GELF_ST_TYPE(symbol->st_info);
    int binding = GELF_ST_BIND(symbol->st_info);
    bool is_function = type == STT_FUNC || type == STT_GNU_IFUNC;
    if (!is_function && type != STT_NOTYPE) return 0;
    if (symbol->st_shndx == SHN_UNDEF || symbol->st_shndx == SHN_ABS) return 0;
    int binding_score = binding == STB_LOCAL ? 1 : binding == STB_WEAK ? 2 : 3;
    return (is_function ? 3 : 0) + binding_score;
}

// Whether a symbol's section holds code; where there are no sections, any may.
static bool is_in_code(Elf *elf, GElf_Word section)
{
    GElf_Shdr header;
    Elf_Scn *found = elf_getscn(elf, section);
    if (!found || !gelf_getshdr(found, &header)) return true;
    return (header.sh_flags & SHF_EXECINSTR) != 0;
}

static size_t leading_underscores(const char *name)
{
    return strspn(name, "_");
}

// By value, and of one value the best last.
static int compare(const void *left, const void *right)
{
    const struct symbol *a = left;
    const struct symbol *b = right;
    if (a->value != b->value) return a->value < b->value ? -1 : 1;
    if (a->score != b->score) return a->score < b->score ? -1 : 1;
    size_t a_lines = leading_underscores(a->name);
    size_t b_lines = leading_underscores(b->name);
    if (a_lines != b_lines) return a_lines > b_lines ? -1 : 1;
    size_t a_len = strlen(a->name);
    size_t b_len = strlen(b->name);
    if (a_len != b_len) return a_len > b_len ? -1 : 1;
    int order = strcmp(b->name, a->name);
    if (order != 0) return order;
    return a->size < b->size ? -1 : a->size > b->size;
}

static int collect(struct symbol_table *self, Dwfl_Module *module, const struct elf_file *file)
{
    int all = dwfl_module_getsymtab(module);
    if (all <= 0) return 0;
    uint64_t bias;
    Elf *main_elf = dwfl_module_getelf(module, &bias);
    self->has_locals = elf_file_has_section(file, ".symtab");
    self->symbols = calloc((size_t)all, sizeof *self->symbols);
    if (!self->symbols) return -ENOMEM;
    for (int i = 0; i < all; i++) {
        GElf_Sym symbol;
        GElf_Word section;
        Elf *elf;
        uint64_t value;
        const char *name =
            dwfl_module_getsym_info(module, i, &symbol, &value, &section, &elf, NULL);
        if (!name || !*name) continue;
        int symbol_score = score(&symbol);
        if (symbol_score == 0 || !is_in_code(elf, section)) continue;
        if (elf != main_elf) self->has_locals = true; // .gnu_debugdata
        self->symbols[self->count++] = (struct symbol){
            .value = value,
            .size = symbol.st_size,
            .name = name,
            .score = symbol_score,
        };
    }
    return 0;
}

static int settle(struct symbol_table *self, uint64_t code_start, uint64_t code_end)
{
    qsort(self->symbols, self->count, sizeof *self->symbols, compare);
    uint64_t next = code_end; // where the next symbol begins
    for (size_t i = self->count; i-- > 0;) {
        struct symbol *symbol = &self->symbols[i];
        bool is_last_here = i + 1 == self->count || self->symbols[i + 1].value != symbol->value;
        if (is_last_here && i + 1 < self->count) next = self->symbols[i + 1].value;
        // The size is the file's word; what is no code will not be asked for.
        if (symbol->value < code_start || symbol->value >= code_end) symbol->score = 0;
        if (symbol->size > code_end - symbol->value) symbol->size = code_end - symbol->value;
        if (symbol->size == 0 && !self->has_locals) symbol->score = 0;
        if (symbol->size == 0 && symbol->score > 0) {
            uint64_t until = next < code_end ? next : code_end;
            int error = intervals_add(&self->intervals, symbol->value, until, (uint32_t)i, true);
            if (error) return error;
        }
    }
    for (size_t i = 0; i < self->count; i++) {
        const struct symbol *symbol = &self->symbols[i];
        if (symbol->size == 0 || symbol->score == 0) continue;
        int error = intervals_add(&self->intervals, symbol->value, symbol->value + symbol->size,
                                  (uint32_t)i, false);
        if (error) return error;
    }
    return intervals_settle(&self->intervals);
}

int symbol_table_init(struct symbol_table *self, const struct elf_file *file)
{
    memset(self, 0, sizeof *self);
    intervals_init(&self->intervals);
    self->callbacks = (Dwfl_Callbacks){
        .find_elf =
            dwfl_build_id_find_elf, // never called: the file is reported with its descriptor
        .find_debuginfo = find_nothing,
        .section_address = dwfl_offline_section_address,
    };
    self->reader = dwfl_begin(&self->callbacks);
    if (!self->reader) return -ENOMEM;
    // The reader closes the descriptor that it takes.
    int fd = dup(file->fd);
    if (fd < 0) return 0;
    dwfl_report_begin(self->reader);
    Dwfl_Module *module = dwfl_report_elf(self->reader, "module", file->path, fd, 0, true);
    if (!module) (void)close(fd);                    // it was only read
    (void)dwfl_report_end(self->reader, NULL, NULL); // without a callback it cannot fail
    if (!module) return 0;
    int error = collect(self, module, file);
    if (error || self->count == 0) return error;
    uint64_t start;
    uint64_t end;
    elf_file_code(file, &start, &end);
    return settle(self, start, end);
}

void symbol_table_deinit(struct symbol_table *self)
{
    intervals_deinit(&self->intervals);
    free(self->symbols);
    if (self->reader) dwfl_end(self->reader);
    memset(self, 0, sizeof *self);
}

const char *symbol_table_find(const struct symbol_table *self, uint64_t address)
{
    uint32_t found = intervals_find(&self->intervals, address);
    return found == INTERVALS_NONE ? NULL : self->symbols[found].name;
}
