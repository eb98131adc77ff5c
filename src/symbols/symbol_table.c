#include "symbols/symbol_table.h"

#include "symbols/addresses.h"

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

enum { BINDING_MAX = 3 }; // of a score; a function's is more

// 0 for what is no code. Assembly's labels are of no type.
static int score(const GElf_Sym *symbol)
{
    int type = GELF_ST_TYPE(symbol->st_info);
    int binding = GELF_ST_BIND(symbol->st_info);
    bool is_function = type == STT_FUNC || type == STT_GNU_IFUNC;
    if (!is_function && type != STT_NOTYPE) return 0;
    if (symbol->st_shndx == SHN_UNDEF || symbol->st_shndx == SHN_ABS) return 0;
    int binding_score = binding == STB_LOCAL ? 1 : binding == STB_WEAK ? 2 : BINDING_MAX;
    return (is_function ? BINDING_MAX : 0) + binding_score;
}

// Whether a symbol's section holds code; where there are no sections, any may.
static bool is_in_code(Elf *elf, GElf_Word section)
{
    GElf_Shdr header;
    Elf_Scn *found = elf_getscn(elf, section);
    if (!found || !gelf_getshdr(found, &header)) return true;
    return (header.sh_flags & SHF_EXECINSTR) != 0;
}

// The answer for the section that was asked about last: most symbols are in one.
struct section_asked {
    Elf *elf;
    GElf_Word section;
    bool is_code;
};

static bool ask_section(struct section_asked *last, Elf *elf, GElf_Word section)
{
    if (elf != last->elf || section != last->section) {
        *last = (struct section_asked){elf, section, is_in_code(elf, section)};
    }
    return last->is_code;
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
    self->symbols = reallocarray(NULL, (size_t)all, sizeof *self->symbols);
    if (!self->symbols) return -ENOMEM;
    struct section_asked asked = {.elf = NULL};
    for (int i = 0; i < all; i++) {
        GElf_Sym symbol;
        GElf_Word section;
        Elf *elf;
        uint64_t value;
        const char *name =
            dwfl_module_getsym_info(module, i, &symbol, &value, &section, &elf, NULL);
        if (!name || !*name) continue;
        int symbol_score = score(&symbol);
        if (symbol_score == 0 || !ask_section(&asked, elf, section)) continue;
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

// What is no code is of no interest; a size is the file's word.
static void trim(struct symbol_table *self, uint64_t code_start, uint64_t code_end)
{
    for (size_t i = 0; i < self->count; i++) {
        struct symbol *symbol = &self->symbols[i];
        if (symbol->value < code_start || symbol->value >= code_end) {
            symbol->score = 0;
        } else if (symbol->size > code_end - symbol->value) {
            symbol->size = code_end - symbol->value;
        }
    }
}

// Finds what has a size and holds each of the rising points: the best, but where more symbols claim
// them than are looked at, one of the first.
static void find_holders(const struct symbol_table *self, const uint64_t *points, size_t count,
                         const struct symbol **found)
{
    size_t looks = 0;
    for (size_t i = 0; i < self->count && looks < ADDRESSES_LOOKS_MAX; i++) {
        const struct symbol *symbol = &self->symbols[i];
        if (symbol->size == 0 || symbol->score == 0) continue;
        for (size_t j = addresses_first_from(points, count, symbol->value);
             j < count && points[j] - symbol->value < symbol->size; j++) {
            looks++;
            if (!found[j] || compare(found[j], symbol) < 0) found[j] = symbol;
        }
    }
}

// Gives the addresses that nothing holds to what begins right behind them: functions to which
// others return that never called them (a signal's trampoline, where a context begins). Return
// addresses are looked up one byte before. Only where all functions have symbols: else what holds
// them may be one without, whose last call does not return.
static void find_beginnings(struct symbol_table *self)
{
    for (size_t i = 0; i < self->count; i++) {
        const struct symbol *symbol = &self->symbols[i];
        if (symbol->score <= BINDING_MAX) continue; // no function
        const uint64_t before = symbol->value - 1;
        for (size_t j = addresses_first_from(self->addresses, self->address_count, before);
             j < self->address_count && self->addresses[j] == before; j++) {
            const struct symbol *found = self->found[j];
            const bool is_held = found && found->value != symbol->value;
            if (!is_held && (!found || compare(found, symbol) < 0)) self->found[j] = symbol;
        }
    }
}

static bool is_label(const struct symbol *symbol)
{
    return symbol->size == 0 && symbol->score > 0;
}

// Whether `symbol` is nearer before an address than `other`; of one place, the best label is.
static bool is_nearer(const struct symbol *symbol, const struct symbol *other)
{
    if (symbol->value != other->value) return symbol->value > other->value;
    if (is_label(symbol) != is_label(other)) return is_label(symbol);
    return compare(symbol, other) > 0;
}

// Finds the symbol that is nearest before each address.
static void find_nearest(const struct symbol_table *self, const struct symbol **found)
{
    for (size_t i = 0; i < self->count; i++) {
        const struct symbol *symbol = &self->symbols[i];
        size_t at = addresses_first_from(self->addresses, self->address_count, symbol->value);
        if (at == self->address_count) continue;
        if (!found[at] || is_nearer(symbol, found[at])) found[at] = symbol;
    }
    for (size_t i = 1; i < self->address_count; i++) {
        if (!found[i]) found[i] = found[i - 1];
    }
}

// Gives the addresses that nothing with a size holds to the labels before them, unless something
// with a size holds these.
static int find_labels(struct symbol_table *self, uint64_t code_end)
{
    size_t count = self->address_count;
    const struct symbol **nearest = calloc(count, sizeof *nearest);
    const struct symbol **holders = calloc(count, sizeof *holders);
    uint64_t *points = calloc(count, sizeof *points);
    int error = nearest && holders && points ? 0 : -ENOMEM;
    if (error) goto free_all;
    find_nearest(self, nearest);
    // They rise as the addresses do; those before the first symbol stay 0.
    for (size_t i = 0; i < count; i++) points[i] = nearest[i] ? nearest[i]->value : 0;
    find_holders(self, points, count, holders);
    for (size_t i = 0; i < count && self->addresses[i] < code_end; i++) {
        bool is_free = !self->found[i] && !holders[i];
        if (is_free && nearest[i] && is_label(nearest[i])) self->found[i] = nearest[i];
    }
free_all:
    free(nearest);
    free(holders);
    free(points);
    return error;
}

static bool is_any_left(const struct symbol_table *self)
{
    for (size_t i = 0; i < self->address_count; i++) {
        if (!self->found[i]) return true;
    }
    return false;
}

int symbol_table_init(struct symbol_table *self, const struct elf_file *file,
                      const uint64_t *addresses, size_t count)
{
    memset(self, 0, sizeof *self);
    self->addresses = addresses;
    self->address_count = count;
    self->found = calloc(count + 1, sizeof *self->found);
    if (!self->found) return -ENOMEM;
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
    trim(self, start, end);
    find_holders(self, addresses, count, self->found);
    if (!self->has_locals || !is_any_left(self)) return 0;
    error = find_labels(self, end);
    if (!error) find_beginnings(self);
    return error;
}

void symbol_table_deinit(struct symbol_table *self)
{
    free(self->found);
    free(self->symbols);
    if (self->reader) dwfl_end(self->reader);
    memset(self, 0, sizeof *self);
}

const char *symbol_table_find(const struct symbol_table *self, uint64_t address)
{
    if (self->count == 0) return NULL;
    size_t at = addresses_first_from(self->addresses, self->address_count, address);
    return at < self->address_count && self->found[at] ? self->found[at]->name : NULL;
}
