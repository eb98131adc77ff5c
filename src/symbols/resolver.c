#include "symbols/resolver.h"

#include "symbols/excerpt.h"
#include "symbols/function_names.h"
#include "symbols/scopes.h"
#include "symbols/search.h"
#include "symbols/symbol_table.h"
#include "symbols/units.h"

#include <dwarf.h>
#include <elfutils/libdwelf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

// libdw keeps the line tables of all units it has seen, 32 bytes a row and more. Past so many rows
// (about 256 MiB) the DWARF is opened anew.
enum { LINE_ROWS_MAX = 4000000 };

// Functions inlined into each other at one address (a guess; compilers stay below 100).
enum { LINES_MAX = 256 };

struct query {
    uint64_t address; // of the call: the offset - 1
    size_t index;
    uint32_t unit; // index into the units' offsets, or INTERVALS_NONE
};

struct resolver {
    const struct resolver_request *request;
    const struct resolver_listener *listener;
    struct search search;
    struct symbols_knowledge knowledge;
    struct elf_file main_file;
    struct elf_file debug_file;
    struct elf_file supplement_file;
    const struct elf_file *dwarf_file; // one of the first two
    struct excerpt excerpt;            // of that one's DWARF
    Dwarf *dwarf;
    Dwarf *supplement;
    uint64_t code_start;
    uint64_t code_end;
    struct symbol_table table;
    struct units units;
    struct store store;
    struct function_names names;
    struct query *queries;
    size_t query_count;
    uint64_t *sorted; // the addresses asked for
    size_t sorted_count;
    uint64_t *addresses; // of the queries of one unit
    size_t looks;        // at what DWARF says of addresses, of ADDRESSES_LOOKS_MAX
    size_t line_rows;    // in the memory of libdw
    struct symbols_line lines[LINES_MAX];
};

static int tell(struct resolver *self)
{
    struct symbols_knowledge *knowledge = &self->knowledge;
    knowledge->main_path = self->main_file.path ? self->main_file.path : "";
    knowledge->debug_path = self->debug_file.path ? self->debug_file.path : "";
    return self->listener->know(self->listener->context, knowledge);
}

static void close_dwarf(struct resolver *self)
{
    function_names_reset(&self->names);
    if (self->dwarf) (void)dwarf_end(self->dwarf); // it was only read
    if (self->supplement) (void)dwarf_end(self->supplement);
    self->dwarf = NULL;
    self->supplement = NULL;
    self->line_rows = 0;
}

static bool has_units(Dwarf *dwarf)
{
    Dwarf_CU *unit = NULL;
    return dwarf_get_units(dwarf, NULL, &unit, NULL, NULL, NULL, NULL) == 0;
}

// Opens the DWARF of a file, if it has any: of the excerpt that was made of it, or all.
static bool open_dwarf(struct resolver *self, const struct elf_file *file)
{
    if (file->fd < 0) return false;
    Elf *elf = self->excerpt.elf ? self->excerpt.elf : file->elf;
    self->dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
    if (self->dwarf && has_units(self->dwarf)) {
        self->dwarf_file = file;
        return true;
    }
    close_dwarf(self);
    return false;
}

// What dwz moved out of several debug files into one that they share.
static int open_supplement(struct resolver *self)
{
    const char *name;
    const void *id;
    ssize_t id_size = dwelf_dwarf_gnu_debugaltlink(self->dwarf, &name, &id);
    if (id_size <= 0) return 0;
    if (self->supplement_file.fd < 0) {
        int error = search_supplement(&self->search, self->dwarf_file, name, id, (size_t)id_size,
                                      &self->supplement_file);
        if (error) return error;
    }
    if (self->supplement_file.fd < 0) return 0;
    self->supplement = dwarf_begin_elf(self->supplement_file.elf, DWARF_C_READ, NULL);
    if (self->supplement) dwarf_setalt(self->dwarf, self->supplement);
    return 0;
}

static int sort_addresses(struct resolver *self)
{
    size_t count = self->request->count;
    self->sorted = calloc(count + 1, sizeof *self->sorted);
    self->addresses = calloc(count + 1, sizeof *self->addresses);
    if (!self->sorted || !self->addresses) return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        uint64_t offset = self->request->offsets[i];
        if (self->request->is_done[i] || offset == 0) continue;
        self->sorted[self->sorted_count++] = offset - 1;
    }
    addresses_sort(self->sorted, self->sorted_count);
    return 0;
}

static int open_files(struct resolver *self)
{
    struct symbols_knowledge *knowledge = &self->knowledge;
    int error = search_main(&self->search, &self->main_file, &knowledge->file, &knowledge->error);
    if (error || self->main_file.fd < 0) return error;
    elf_file_code(&self->main_file, &self->code_start, &self->code_end);
    bool has_table = elf_file_has_section(&self->main_file, ".symtab");
    bool has_dwarf = elf_file_has_section(&self->main_file, ".debug_info") ||
                     elf_file_has_section(&self->main_file, ".zdebug_info");
    if (!has_dwarf) {
        error = search_debug(&self->search, &self->main_file, &self->debug_file);
        if (error) return error;
    }
    // .symtab may be in either file.
    bool is_in_debug = !has_table && self->debug_file.fd >= 0 &&
                       elf_file_has_section(&self->debug_file, ".symtab");
    error = symbol_table_init(&self->table, is_in_debug ? &self->debug_file : &self->main_file,
                              self->sorted, self->sorted_count);
    if (error) return error;
    if (self->table.count > 0) {
        knowledge->source = self->table.has_locals ? SYMBOLS_TABLE : SYMBOLS_EXPORTED;
    }
    return 0;
}

static struct address_list asked(const struct resolver *self)
{
    return (struct address_list){self->sorted, self->sorted_count, self->code_start};
}

// Makes an excerpt of the file's DWARF where that is cheaper.
static int take_excerpt(struct resolver *self, const struct elf_file *file)
{
    const struct address_list addresses = asked(self);
    return excerpt_init(&self->excerpt, file, &addresses);
}

// Of an excerpt all units are read, of a file those that hold the addresses, where it says which.
static int read_units(struct resolver *self)
{
    const struct address_list addresses = asked(self);
    uint64_t *only = NULL;
    size_t count = 0;
    int error = -ENODATA;
    if (!self->excerpt.elf) {
        Elf_Scn *ranges = elf_file_section(self->dwarf_file, ".debug_aranges");
        error = address_ranges_read(ranges, &addresses, &only, &count);
    }
    const struct units_choice choice = {
        .start = self->code_start,
        .end = self->code_end,
        .only = only,
        .only_count = count,
        .looks = &self->looks,
    };
    if (error == 0 || error == -ENODATA) error = units_init(&self->units, self->dwarf, &choice);
    free(only);
    return error;
}

// *is_open_out becomes whether the file has DWARF.
static int try_dwarf(struct resolver *self, const struct elf_file *file, bool *is_open_out)
{
    int error = file->fd < 0 ? 0 : take_excerpt(self, file);
    if (error) return error;
    *is_open_out = open_dwarf(self, file);
    if (*is_open_out || !self->excerpt.elf) return 0;
    excerpt_deinit(&self->excerpt);
    *is_open_out = open_dwarf(self, file);
    return 0;
}

static int prepare_dwarf(struct resolver *self)
{
    if (self->request->no_dwarf) return 0;
    bool is_open = false;
    int error = try_dwarf(self, &self->main_file, &is_open);
    if (!error && !is_open) error = try_dwarf(self, &self->debug_file, &is_open);
    if (error || !is_open) return error;
    self->knowledge.source = SYMBOLS_DWARF;
    error = tell(self);
    if (error) return error;
    error = open_supplement(self);
    return error ? error : read_units(self);
}

static int compare(const void *left, const void *right)
{
    const struct query *a = left;
    const struct query *b = right;
    if (a->unit != b->unit) return a->unit < b->unit ? -1 : 1;
    if (a->address != b->address) return a->address < b->address ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

// Sorts what is asked by compilation unit and address.
static int sort_queries(struct resolver *self)
{
    size_t count = self->request->count;
    self->queries = calloc(count ? count : 1, sizeof *self->queries);
    if (!self->queries) return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        uint64_t offset = self->request->offsets[i];
        if (self->request->is_done[i] || offset == 0) continue;
        self->queries[self->query_count++] = (struct query){
            .address = offset - 1,
            .index = i,
            .unit = intervals_find(&self->units.intervals, offset - 1),
        };
    }
    qsort(self->queries, self->query_count, sizeof *self->queries, compare);
    return 0;
}

// The line table's word on an address.
static void locate(Dwarf_Die *unit, uint64_t address, struct symbols_line *line)
{
    int number = 0;
    Dwarf_Line *found = dwarf_getsrc_die(unit, address);
    const char *file = found ? dwarf_linesrc(found, NULL, NULL) : NULL;
    if (file && dwarf_lineno(found, &number) == 0 && number >= 0) {
        line->file = file;
        line->line = (unsigned)number;
    }
}

static bool number_of(Dwarf_Die *die, unsigned name, Dwarf_Word *number)
{
    Dwarf_Attribute attribute;
    return dwarf_attr(die, name, &attribute) && dwarf_formudata(&attribute, number) == 0;
}

// Where an inlined function was called.
static void locate_call(Dwarf_Die *die, struct symbols_line *line)
{
    Dwarf_Word file = 0;
    Dwarf_Word number = 0;
    Dwarf_Die unit;
    Dwarf_Files *files;
    size_t count;
    if (!number_of(die, DW_AT_call_file, &file) || !dwarf_diecu(die, &unit, NULL, NULL)) return;
    if (dwarf_getsrcfiles(&unit, &files, &count) != 0 || file >= count) return;
    const char *name = dwarf_filesrc(files, file, NULL, NULL);
    if (!name) return;
    line->file = name;
    if (number_of(die, DW_AT_call_line, &number) && number <= INT32_MAX) {
        line->line = (unsigned)number;
    }
}

// The first `count` lines are filled in and told.
static int tell_name(struct resolver *self, size_t index, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct symbols_line *line = &self->lines[i];
        if (!line->function) line->function = "";
        if (!line->linkage) line->linkage = "";
        if (!line->file) line->file = "";
    }
    return self->listener->name(self->listener->context, index, self->lines, count);
}

// A name from the symbol table; `unit`, if not NULL, knows the line.
static int resolve_by_symbol(struct resolver *self, const struct query *query, Dwarf_Die *unit)
{
    struct symbols_line *line = &self->lines[0];
    *line = (struct symbols_line){.function = NULL};
    if (unit) locate(unit, query->address, line);
    const char *symbol = symbol_table_find(&self->table, query->address);
    if (symbol) {
        struct function_name name;
        int error = function_names_find_symbol(&self->names, symbol, &name);
        if (error) return error;
        line->function = name.text;
        line->linkage = name.linkage;
    }
    return line->function || line->file ? tell_name(self, query->index, 1) : 0;
}

static int resolve_by_scopes(struct resolver *self, const struct query *query, Dwarf_Die *unit,
                             struct scopes *scopes, uint32_t innermost)
{
    size_t count = 0;
    struct symbols_line place = {.function = NULL};
    locate(unit, query->address, &place);
    for (uint32_t at = innermost; at != SCOPES_NONE && count < LINES_MAX;) {
        struct scope *scope = &scopes->items[at];
        struct symbols_line *line = &self->lines[count++];
        *line = place;
        line->is_inlined = scope->is_inlined;
        const char *symbol =
            scope->is_inlined ? NULL : symbol_table_find(&self->table, query->address);
        struct function_name name;
        int error = function_names_find(&self->names, &scope->die, symbol, &name);
        if (error) return error;
        line->function = name.text;
        line->linkage = name.linkage;
        place = (struct symbols_line){.function = NULL};
        if (scope->is_inlined) locate_call(&scope->die, &place);
        at = scope->parent;
    }
    return tell_name(self, query->index, count);
}

// The queries from `first` on that lie in the same unit as it.
static size_t same_unit(const struct resolver *self, size_t first)
{
    size_t count = 1;
    while (first + count < self->query_count &&
           self->queries[first + count].unit == self->queries[first].unit) {
        count++;
    }
    return count;
}

static int resolve_unit(struct resolver *self, const struct query *queries, size_t count)
{
    Dwarf_Die unit;
    Dwarf_Off offset = self->units.offsets[queries[0].unit];
    bool is_there = dwarf_offdie(self->dwarf, offset, &unit) != NULL;
    // Of a split unit this is the file's half, which has the lines; the other one has the
    // functions.
    Dwarf_Die split = {0};
    if (is_there) (void)dwarf_cu_info(unit.cu, NULL, NULL, NULL, &split, NULL, NULL, NULL);
    bool is_split = is_there && dwarf_tag(&split) == DW_TAG_compile_unit;
    for (size_t i = 0; i < count; i++) self->addresses[i] = queries[i].address;
    struct scopes scopes = {0};
    int error = 0;
    if (is_there) {
        const struct scopes_request request = {
            .code_start = self->code_start,
            .addresses = self->addresses,
            .count = count,
            .looks = &self->looks,
        };
        error = scopes_init(&scopes, is_split ? &split : &unit, &request);
    }
    for (size_t i = 0; i < count && error == 0; i++) {
        if (is_there && scopes.innermost[i] != SCOPES_NONE) {
            error = resolve_by_scopes(self, &queries[i], &unit, &scopes, scopes.innermost[i]);
        } else {
            error = resolve_by_symbol(self, &queries[i], is_there ? &unit : NULL);
        }
    }
    scopes_deinit(&scopes);
    Dwarf_Lines *lines;
    size_t rows;
    if (is_there && dwarf_getsrclines(&unit, &lines, &rows) == 0) self->line_rows += rows;
    return error;
}

static int resolve_all(struct resolver *self)
{
    int error = 0;
    for (size_t i = 0; i < self->query_count && error == 0;) {
        size_t count = same_unit(self, i);
        if (self->queries[i].unit == INTERVALS_NONE || !self->dwarf) {
            for (size_t j = i; j < i + count && error == 0; j++) {
                error = resolve_by_symbol(self, &self->queries[j], NULL);
            }
        } else {
            error = resolve_unit(self, &self->queries[i], count);
        }
        if (error == 0 && self->line_rows > LINE_ROWS_MAX) {
            close_dwarf(self);
            if (open_dwarf(self, self->dwarf_file)) error = open_supplement(self);
        }
        i += count;
    }
    return error;
}

static void close_all(struct resolver *self)
{
    close_dwarf(self);
    excerpt_deinit(&self->excerpt);
    function_names_deinit(&self->names);
    units_deinit(&self->units);
    symbol_table_deinit(&self->table);
    elf_file_close(&self->supplement_file);
    elf_file_close(&self->debug_file);
    elf_file_close(&self->main_file);
    search_deinit(&self->search);
    store_deinit(&self->store);
    free(self->queries);
    free(self->sorted);
    free(self->addresses);
    free(self);
}

int resolver_run(const struct resolver_request *request, const struct resolver_listener *listener)
{
    struct resolver *self = calloc(1, sizeof *self);
    if (!self) return -ENOMEM;
    self->request = request;
    self->listener = listener;
    self->main_file = ELF_FILE_CLOSED;
    self->debug_file = ELF_FILE_CLOSED;
    self->supplement_file = ELF_FILE_CLOSED;
    int64_t wait_max = request->debuginfod_milliseconds_left;
    search_init(&self->search, request->options, request->module, wait_max);
    store_init(&self->store);
    function_names_init(&self->names, &self->store);
    intervals_init(&self->units.intervals);
    int error = sort_addresses(self);
    if (error == 0) error = open_files(self);
    if (error == 0) error = tell(self);
    if (error == 0) error = prepare_dwarf(self);
    int64_t waited = wait_max - self->search.debuginfod.milliseconds_left;
    if (error == 0 && waited > 0) error = listener->waited(listener->context, waited);
    if (error == 0) error = sort_queries(self);
    if (error == 0) error = resolve_all(self);
    close_all(self);
    return error;
}
