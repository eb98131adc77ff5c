#include "preload/dynamic_symbols.h"

#include <stddef.h>

// The loader has added the bias to what the dynamic section says, or not.
static uintptr_t place_of(const struct link_map *map, uintptr_t value)
{
    return value < map->l_addr ? value + map->l_addr : value;
}

bool dynamic_symbols_find(const struct link_map *map, struct dynamic_symbols *symbols_out)
{
    struct dynamic_symbols found = {0};
    for (const ElfW(Dyn) *entry = map->l_ld; entry && entry->d_tag != DT_NULL; entry++) {
        uintptr_t place = place_of(map, entry->d_un.d_ptr);
        if (entry->d_tag == DT_SYMTAB) found.first = (Elf64_Sym *)place;
        if (entry->d_tag == DT_STRTAB) found.texts = (const char *)place;
        if (entry->d_tag == DT_GNU_HASH) found.hash = (const uint32_t *)place;
    }
    if (!found.first || !found.texts || !found.hash || found.hash[0] == 0) return false;
    *symbols_out = found;
    return true;
}

static uint32_t hash_of(const char *text)
{
    uint32_t hash = 5381;
    for (; *text; text++) hash = hash * 33 + (unsigned char)*text;
    return hash;
}

// Calls nothing of libc's: it may be asked before these can be called.
static bool is_same(const char *text, const char *other)
{
    while (*text && *text == *other) {
        text++;
        other++;
    }
    return *text == *other;
}

Elf64_Sym *dynamic_symbols_next(const struct dynamic_symbols *self, const char *name,
                                const Elf64_Sym *last)
{
    const uint32_t *header = self->hash; // buckets, first symbol, words of the filter, its shift
    const uint32_t *buckets = header + 4 + (size_t)header[2] * 2;
    const uint32_t *chain = buckets + header[0];
    uint32_t hash = hash_of(name);
    uint32_t i = buckets[hash % header[0]];
    if (i < header[1]) return NULL; // no symbol has that hash
    for (;; i++) {
        uint32_t link = chain[i - header[1]];
        Elf64_Sym *symbol = &self->first[i];
        bool is_it = (!last || symbol > last) && (link | 1) == (hash | 1) &&
                     symbol->st_shndx != SHN_UNDEF && is_same(self->texts + symbol->st_name, name);
        if (is_it) return symbol;
        if (link & 1) return NULL;
    }
}
