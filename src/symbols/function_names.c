#include "symbols/function_names.h"

#include "symbols/containers.h"
#include "symbols/demangle.h"

#include <dwarf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// Functions within functions (lambdas of lambdas) that are named in full; a path's components; the
// steps from a copy of a function to its declaration (guesses, far above what compilers write).
enum { NESTING_MAX = 4, PATH_MAX_COMPONENTS = 64, ORIGINS_MAX = 8, NAME_MAX_LEN = DEMANGLE_MAX };

// A DIE, or with offset 0 a symbol.
struct key {
    const void *place; // the DIE's unit, or the symbol in its file; NULL: none
    Dwarf_Off offset;
};

struct function_name_entry {
    struct key key;
    struct function_name name;
};

struct function_names_unit {
    struct function_names_unit *next;
    const Dwarf_CU *unit;
    struct containers containers;
};

void function_names_init(struct function_names *self, struct store *store)
{
    *self = (struct function_names){.store = store};
}

void function_names_reset(struct function_names *self)
{
    while (self->units) {
        struct function_names_unit *next = self->units->next;
        containers_deinit(&self->units->containers);
        free(self->units);
        self->units = next;
    }
    free(self->entries);
    self->entries = NULL;
    self->count = 0;
    self->capacity = 0;
}

void function_names_deinit(struct function_names *self)
{
    function_names_reset(self);
}

static struct function_name_entry *entry_of(struct function_names *self, struct key key)
{
    // Fibonacci hashing.
    size_t at = (size_t)((((uintptr_t)key.place >> 3) + key.offset) * 0x9e3779b97f4a7c15u >> 20);
    for (;; at++) {
        struct function_name_entry *entry = &self->entries[at & (self->capacity - 1)];
        bool is_it = entry->key.place == key.place && entry->key.offset == key.offset;
        if (!entry->key.place || is_it) return entry;
    }
}

static int grow(struct function_names *self)
{
    struct function_names old = *self;
    self->capacity = old.capacity ? old.capacity * 2 : 1024;
    self->entries = calloc(self->capacity, sizeof *self->entries);
    if (!self->entries) {
        *self = old;
        return -ENOMEM;
    }
    for (size_t i = 0; i < old.capacity; i++) {
        if (old.entries[i].key.place) *entry_of(self, old.entries[i].key) = old.entries[i];
    }
    free(old.entries);
    return 0;
}

static int remember(struct function_names *self, struct key key, const struct function_name *name)
{
    if (self->count * 2 >= self->capacity && grow(self) < 0) return -ENOMEM;
    *entry_of(self, key) = (struct function_name_entry){.key = key, .name = *name};
    self->count++;
    return 0;
}

static bool is_remembered(struct function_names *self, struct key key,
                          struct function_name *name_out)
{
    if (self->capacity == 0) return false;
    const struct function_name_entry *entry = entry_of(self, key);
    if (!entry->key.place) return false;
    *name_out = entry->name;
    return true;
}

static int keep(struct function_names *self, const char *text, size_t len, const char **name_out)
{
    if (len > NAME_MAX_LEN) len = NAME_MAX_LEN;
    *name_out = store_string(self->store, text, len);
    return *name_out ? 0 : -ENOMEM;
}

// The demangled name, or NULL in *name_out where `mangled` is no such name.
static int keep_demangled(struct function_names *self, const char *mangled, const char **name_out)
{
    *name_out = NULL;
    if (!mangled || mangled[0] != '_' || strnlen(mangled, NAME_MAX_LEN) == NAME_MAX_LEN) return 0;
    char *stem = strndup(mangled, demangle_stem(mangled));
    if (!stem) return -ENOMEM;
    char *name = demangle(stem);
    free(stem);
    int error = name ? keep(self, name, strlen(name), name_out) : 0;
    free(name);
    return error;
}

static int keep_stem(struct function_names *self, const char *symbol, const char **name_out)
{
    if (strnlen(symbol, NAME_MAX_LEN) == NAME_MAX_LEN) {
        return keep(self, symbol, NAME_MAX_LEN, name_out);
    }
    return keep(self, symbol, demangle_stem(symbol), name_out);
}

// The mangled name of C++ or Rust of the two, NULL without one. What the symbol table says is that
// of the very copy that runs: of constructors there are several.
static int keep_linkage(struct function_names *self, const char *symbol, const char *linkage,
                        const char **name_out)
{
    const char *const names[] = {symbol, linkage};
    *name_out = NULL;
    for (size_t i = 0; i < 2; i++) {
        const char *name = names[i];
        if (!name || name[0] != '_' || (name[1] != 'Z' && name[1] != 'R')) continue;
        if (strnlen(name, NAME_MAX_LEN) == NAME_MAX_LEN) continue;
        return keep_stem(self, name, name_out);
    }
    return 0;
}

int function_names_find_symbol(struct function_names *self, const char *symbol,
                               struct function_name *name_out)
{
    struct key key = {.place = symbol};
    if (is_remembered(self, key, name_out)) return 0;
    struct function_name name;
    int error = keep_demangled(self, symbol, &name.text);
    if (error == 0 && !name.text) error = keep_stem(self, symbol, &name.text);
    if (error == 0) error = keep_linkage(self, symbol, NULL, &name.linkage);
    if (error == 0) error = remember(self, key, &name);
    if (error == 0) *name_out = name;
    return error;
}

static const char *text_of(Dwarf_Die *die, unsigned name)
{
    Dwarf_Attribute attribute;
    const char *text = dwarf_formstring(dwarf_attr_integrate(die, name, &attribute));
    return text && *text ? text : NULL;
}

static const char *linkage_name(Dwarf_Die *die)
{
    const char *name = text_of(die, DW_AT_linkage_name);
    return name ? name : text_of(die, DW_AT_MIPS_linkage_name);
}

static bool is_c(Dwarf_Die *unit)
{
    switch (dwarf_srclang(unit)) {
    case DW_LANG_C89:
    case DW_LANG_C:
    case DW_LANG_C99:
    case DW_LANG_C11:
    case DW_LANG_Mips_Assembler: return true;
    default: return false;
    }
}

// The DIE that bears the name: the declaration, or where the function was written.
static Dwarf_Die bearer(Dwarf_Die die)
{
    for (int i = 0; i < ORIGINS_MAX && !dwarf_hasattr(&die, DW_AT_name); i++) {
        Dwarf_Attribute attribute;
        Dwarf_Die next;
        if (!dwarf_attr(&die, DW_AT_abstract_origin, &attribute) &&
            !dwarf_attr(&die, DW_AT_specification, &attribute)) {
            break;
        }
        if (!dwarf_formref_die(&attribute, &next)) break;
        die = next;
    }
    return die;
}

static int containers_of(struct function_names *self, Dwarf_Die *unit,
                         const struct containers **containers_out)
{
    for (struct function_names_unit *known = self->units; known; known = known->next) {
        if (known->unit == unit->cu) {
            *containers_out = &known->containers;
            return 0;
        }
    }
    struct function_names_unit *added = calloc(1, sizeof *added);
    if (!added) return -ENOMEM;
    added->unit = unit->cu;
    int error = containers_init(&added->containers, unit);
    if (error) {
        containers_deinit(&added->containers);
        free(added);
        return error;
    }
    added->next = self->units;
    self->units = added;
    *containers_out = &added->containers;
    return 0;
}

// What a container adds to the names of what stands in it. A function's is its whole name: what it
// stands in itself is where it was declared, not where its code is.
static const char *container_name(Dwarf_Die *die, const char *inside)
{
    const char *name = dwarf_diename(die);
    if (name) return name;
    if (dwarf_tag(die) == DW_TAG_namespace) return "(anonymous namespace)";
    return strcmp(inside, "operator()") == 0 ? "{lambda}" : "{unnamed}";
}

static int find_nested(struct function_names *self, Dwarf_Die *die, const char *symbol,
                       unsigned nesting, struct function_name *name_out);

// A name under construction: it grows from its end.
struct path {
    size_t begin; // of what is there, in bytes[NAME_MAX_LEN]
    char bytes[NAME_MAX_LEN];
};

static void put(struct path *self, const char *text, size_t len)
{
    self->begin -= len;
    memcpy(self->bytes + self->begin, text, len);
}

// One more component, with :: after it if others follow. Of one that does not fit, template
// arguments are left out; then the whole.
static void put_before(struct path *self, const char *name)
{
    static const char arguments[] = "<\u2026>";
    static const char lambda[] = "<lambda";
    size_t between = self->begin == NAME_MAX_LEN ? 0 : 2;
    size_t len = strnlen(name, NAME_MAX_LEN);
    size_t end = 0;
    if (len + between > self->begin) {
        len = strcspn(name, "<");
        end = strlen(arguments);
    }
    if (len + end + between > self->begin) return;
    put(self, "::", between);
    put(self, arguments, end);
    put(self, name, len);
    // GCC writes <lambda(int)>, demanglers {lambda(int)#1}.
    if (end == 0 && strncmp(name, lambda, strlen(lambda)) == 0 && name[len - 1] == '>') {
        self->bytes[self->begin] = '{';
        self->bytes[self->begin + len - 1] = '}';
    }
}

static int put_containers(struct function_names *self, struct path *path, Dwarf_Die *named,
                          unsigned nesting)
{
    Dwarf_Die unit;
    if (!dwarf_diecu(named, &unit, NULL, NULL) || is_c(&unit)) return 0;
    const struct containers *containers;
    int error = containers_of(self, &unit, &containers);
    if (error) return error;
    uint32_t at = containers_find(containers, dwarf_dieoffset(named));
    const char *inside = dwarf_diename(named);
    for (int i = 0; i < PATH_MAX_COMPONENTS && at != CONTAINERS_NONE; i++) {
        Dwarf_Die die = containers->items[at].die;
        if (dwarf_tag(&die) == DW_TAG_subprogram) {
            struct function_name name = {.text = NULL};
            if (nesting < NESTING_MAX) error = find_nested(self, &die, NULL, nesting + 1, &name);
            if (error) return error;
            put_before(path, name.text ? name.text : container_name(&die, ""));
            return 0;
        }
        put_before(path, container_name(&die, inside));
        inside = "";
        at = containers->items[at].parent;
    }
    return 0;
}

static int keep_qualified(struct function_names *self, const Dwarf_Die *die, unsigned nesting,
                          const char **name_out)
{
    Dwarf_Die named = bearer(*die);
    const char *name = dwarf_diename(&named);
    if (!name || !*name) return 0;
    struct path *path = malloc(sizeof *path);
    if (!path) return -ENOMEM;
    path->begin = NAME_MAX_LEN;
    put_before(path, name);
    int error = put_containers(self, path, &named, nesting);
    size_t len = NAME_MAX_LEN - path->begin;
    if (error == 0 && len > 0) error = keep(self, path->bytes + path->begin, len, name_out);
    free(path);
    return error;
}

static int make_text(struct function_names *self, Dwarf_Die *die, const char *symbol,
                     const char *linkage, unsigned nesting, const char **name_out)
{
    int error = keep_demangled(self, linkage, name_out);
    if (error || *name_out) return error;
    error = keep_demangled(self, symbol, name_out);
    if (error || *name_out) return error;
    error = keep_qualified(self, die, nesting, name_out);
    if (error || *name_out) return error;
    if (!linkage) linkage = symbol;
    return linkage ? keep_stem(self, linkage, name_out) : 0;
}

static int find_nested(struct function_names *self, Dwarf_Die *die, const char *symbol,
                       unsigned nesting, struct function_name *name_out)
{
    struct key key = {.place = die->cu, .offset = dwarf_dieoffset(die)};
    if (is_remembered(self, key, name_out)) return 0;
    const char *linkage = linkage_name(die);
    struct function_name name = {.text = NULL};
    int error = make_text(self, die, symbol, linkage, nesting, &name.text);
    if (error == 0) error = keep_linkage(self, symbol, linkage, &name.linkage);
    if (error == 0) error = remember(self, key, &name);
    if (error == 0) *name_out = name;
    return error;
}

int function_names_find(struct function_names *self, Dwarf_Die *die, const char *symbol,
                        struct function_name *name_out)
{
    return find_nested(self, die, symbol, 0, name_out);
}
