#include "preload/deepbind.h"

#include "base/align.h"
#include "base/attributes.h"
#include "os/code.h"
#include "os/lock.h"
#include "os/pages.h"
#include "preload/dynamic_symbols.h"
#include "preload/export.h"
#include "preload/family.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/auxv.h>
#include <sys/mman.h>

static struct {
    void *(*dlopen)(const char *, int);
    void *(*dlmopen)(Lmid_t, const char *, int);
    struct lock lock;
    _Atomic bool has_tried;
    bool is_done;
} state;

// libc's own table of what it defines.
struct libc_symbols {
    struct code_module module;
    struct code_headers headers;
    struct dynamic_symbols table;
};

static bool find_symbols(struct libc_symbols *symbols_out)
{
    struct libc_symbols found;
    if (!code_find_module((uintptr_t)&getauxval, &found.module) ||
        !dynamic_symbols_find(found.module.link_map, &found.table)) {
        return false;
    }
    found.headers = code_headers(&found.module);
    *symbols_out = found;
    return true;
}

// Every version of it.
static void redirect(const struct libc_symbols *symbols, const struct family_member *member)
{
    Elf64_Sym *symbol = NULL;
    while ((symbol = dynamic_symbols_next(&symbols->table, member->name, symbol)) != NULL) {
        // Others may be looking it up meanwhile.
        __atomic_store_n(&symbol->st_value, member->function - symbols->module.bias,
                         __ATOMIC_RELAXED);
    }
}

// Makes the whole segment that the table is in writable, or what it was.
static bool allow_writing(const struct libc_symbols *symbols, bool may_write)
{
    uintptr_t bias = symbols->module.bias;
    const Elf64_Phdr *segment =
        code_headers_segment(&symbols->headers, bias, (uintptr_t)symbols->table.first, 1);
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
    struct libc_symbols symbols;
    if (!find_symbols(&symbols) || !allow_writing(&symbols, true)) return false;
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
