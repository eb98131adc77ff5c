#include "preload/deepbind.h"

#include "base/align.h"
#include "base/attributes.h"
#include "os/code.h"
#include "os/lock.h"
#include "os/pages.h"
#include "preload/export.h"
#include "preload/family.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

static struct {
    void *(*dlopen)(const char *, int);
    void *(*dlmopen)(Lmid_t, const char *, int);
    struct lock lock;
    _Atomic bool has_tried;
    bool is_done;
} state;

// --- a symbol table in memory, and its hash table (DT_GNU_HASH, as glibc has it)
// -------------------------------------------------------------------------------------------

struct symbols {
    const struct code_module *module;
    struct code_headers headers;
    Elf64_Sym *first;
    const char *texts;
    const uint32_t *hash;
};

// The loader has added the bias to what the dynamic section says, or not.
static uintptr_t place_of(const struct code_module *module, uintptr_t value)
{
    return value < module->bias ? value + module->bias : value;
}

static bool find_symbols(const struct code_module *module, struct symbols *symbols_out)
{
    struct symbols found = {.module = module, .headers = code_headers(module)};
    for (const ElfW(Dyn) *entry = module->link_map->l_ld; entry->d_tag != DT_NULL; entry++) {
        uintptr_t place = place_of(module, entry->d_un.d_ptr);
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

// Every version of it.
static void redirect(const struct symbols *symbols, const struct family_member *member)
{
    const uint32_t *header = symbols->hash; // buckets, first symbol, words of the filter, its shift
    const uint32_t *buckets = header + 4 + (size_t)header[2] * 2;
    const uint32_t *chain = buckets + header[0];
    uint32_t hash = hash_of(member->name);
    uint32_t i = buckets[hash % header[0]];
    if (i < header[1]) return; // no symbol has that hash
    for (;; i++) {
        uint32_t link = chain[i - header[1]];
        Elf64_Sym *symbol = &symbols->first[i];
        bool is_it =
            (link | 1) == (hash | 1) && symbol->st_shndx != SHN_UNDEF &&
            strncmp(symbols->texts + symbol->st_name, member->name, strlen(member->name) + 1) == 0;
        // Others may be looking it up meanwhile.
        if (is_it) {
            __atomic_store_n(&symbol->st_value, member->function - symbols->module->bias,
                             __ATOMIC_RELAXED);
        }
        if (link & 1) return;
    }
}

// Makes the whole segment that the table is in writable, or what it was.
static bool allow_writing(const struct symbols *symbols, bool may_write)
{
    uintptr_t bias = symbols->module->bias;
    const Elf64_Phdr *segment =
        code_headers_segment(&symbols->headers, bias, (uintptr_t)symbols->first, 1);
    if (!segment) return false;
    uintptr_t start = align_down(bias + segment->p_vaddr, PAGE_SIZE);
    uintptr_t end = align_up(bias + segment->p_vaddr + segment->p_memsz, PAGE_SIZE);
    int protection = PROT_READ | (segment->p_flags & PF_X ? PROT_EXEC : 0);
    if (may_write || segment->p_flags & PF_W) protection |= PROT_WRITE;
    return pages_protect((void *)start, end - start, protection);
}

// What libc's own table says of the family from now on. False: what it said before.
static bool redirect_all(void)
{
    struct code_module libc;
    struct symbols symbols;
    if (!code_find_module((uintptr_t)&getauxval, &libc) || !find_symbols(&libc, &symbols) ||
        !allow_writing(&symbols, true)) {
        return false;
    }
    for (size_t i = 0; i < family_members_count; i++) redirect(&symbols, &family_members[i]);
    (void)allow_writing(&symbols, false);
    return true;
}

static COLD NOINLINE void prepare(void)
{
    int saved = errno;
    lock_take(&state.lock);
    if (!atomic_load_explicit(&state.has_tried, memory_order_relaxed)) {
        state.is_done = redirect_all();
        // release: pairs with the acquire in dlopen()
        atomic_store_explicit(&state.has_tried, true, memory_order_release);
    }
    lock_give(&state.lock);
    errno = saved;
}

void deepbind_forked(void)
{
    state.lock = (struct lock){0};
}

// How a library may be loaded. Where the table could not be changed it does better with symbols of
// the program's than with two heaps.
static ALWAYS_INLINE int mode_for(const char *path, int mode)
{
    if (path && UNLIKELY(!atomic_load_explicit(&state.has_tried, memory_order_acquire))) prepare();
    return state.is_done || !path ? mode : mode & ~RTLD_DEEPBIND;
}

// Whose search path holds depends on who calls: both must end in a jump, and so must not be
// compiled without optimization (a test would notice).
EXPORT void *dlopen(const char *path, int mode)
{
    mode = mode_for(path, mode);
    if (UNLIKELY(!state.dlopen)) *(void **)&state.dlopen = dlsym(RTLD_NEXT, "dlopen");
    return state.dlopen(path, mode);
}

EXPORT void *dlmopen(Lmid_t space, const char *path, int mode)
{
    mode = mode_for(path, mode);
    if (UNLIKELY(!state.dlmopen)) *(void **)&state.dlmopen = dlsym(RTLD_NEXT, "dlmopen");
    return state.dlmopen(space, path, mode);
}
