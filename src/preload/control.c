// Control: jemalloc's mallctl(), for programs that are linked with it (Debian's redis-server is).
// Their memory lies in this heap, so of jemalloc's figures those that say how much there is are
// this heap's, and a purge is one of ours, too. All else is jemalloc's own to answer. Its two other
// ways to ask (by MIB) are left to it: who looks for all three to know whether jemalloc is there
// does not find it in us.
// Nor does who looks for this one by dlsym(), as MariaDB does, to ask jemalloc for its version: the
// symbol has a version that is not the default, and is the library's first. The loader binds what
// was linked without versions to such a one, and dlsym() passes it by (do_lookup_x() in glibc).

#include "base/attributes.h"
#include "heap/heap.h"
#include "preload/dynamic_symbols.h"
#include "preload/export.h"

#include <errno.h>
#include <link.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef int (*control_function)(const char *name, void *old, size_t *old_size, void *value,
                                size_t value_size);

EXPORT int mete_control(const char *name, void *old, size_t *old_size, void *value,
                        size_t value_size);
__asm__(".symver mete_control, mallctl@METE_LINKED"); // see preload.map

enum figure { ALLOCATED, ACTIVE, RESIDENT, MAPPED, RETAINED, METADATA, FIGURES };
static const char *const figure_names[FIGURES] = {
    [ALLOCATED] = "stats.allocated", [ACTIVE] = "stats.active",     [RESIDENT] = "stats.resident",
    [MAPPED] = "stats.mapped",       [RETAINED] = "stats.retained", [METADATA] = "stats.metadata",
};

// As jemalloc's manual has them: blocks; pages that have some; what is in memory; what is mapped
// and in use; what is mapped and not; what all of that takes besides.
static size_t figure_of(enum figure figure)
{
    struct heap_stats stats;
    heap_stats(&stats);
    const size_t active =
        stats.mapped_bytes - stats.free_dirty_bytes - stats.free_clean_bytes + stats.direct_bytes;
    switch (figure) {
    case ALLOCATED: return stats.live_block_bytes + stats.direct_bytes;
    case ACTIVE: return active;
    case RESIDENT: return active + stats.free_dirty_bytes + stats.metadata_bytes;
    case MAPPED: return active + stats.free_dirty_bytes;
    case RETAINED: return stats.free_clean_bytes;
    case METADATA: return stats.metadata_bytes;
    case FIGURES: break;
    }
    return 0;
}

static int answer(size_t figure, void *old, const size_t *old_size, const void *value)
{
    if (value) return EPERM;
    if (!old || !old_size) return 0;
    if (*old_size != sizeof figure) return EINVAL;
    memcpy(old, &figure, sizeof figure);
    return 0;
}

// "arena.0.purge"
static bool is_purge(const char *name)
{
    static const char begin[] = "arena.";
    static const char end[] = ".purge";
    const size_t len = strlen(name);
    const size_t begin_len = sizeof begin - 1;
    const size_t end_len = sizeof end - 1;
    return len > begin_len + end_len && memcmp(name, begin, begin_len) == 0 &&
           strcmp(name + len - end_len, end) == 0;
}

static int look_into(struct dl_phdr_info *module, size_t size, void *found_out)
{
    (void)size;
    struct link_map map = {.l_addr = module->dlpi_addr};
    for (int i = 0; i < module->dlpi_phnum; i++) {
        if (module->dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
        map.l_ld = (ElfW(Dyn) *)(module->dlpi_addr + module->dlpi_phdr[i].p_vaddr);
    }
    struct dynamic_symbols symbols;
    if (map.l_ld == _DYNAMIC || !dynamic_symbols_find(&map, &symbols)) return 0;
    const Elf64_Sym *symbol = dynamic_symbols_next(&symbols, "mallctl", NULL);
    if (!symbol || symbol->st_value == 0) return 0;
    *(uintptr_t *)found_out = module->dlpi_addr + symbol->st_value;
    return 1;
}

// jemalloc's own. Not by dlsym(), whose failure the program's dlerror() would tell of.
static control_function find_next(void)
{
    uintptr_t found = 0;
    (void)dl_iterate_phdr(look_into, &found);
    return (control_function)found;
}

int mete_control(const char *name, void *old, size_t *old_size, void *value, size_t value_size)
{
    static _Atomic(control_function) next;
    for (size_t i = 0; i < FIGURES; i++) {
        if (strcmp(name, figure_names[i]) != 0) continue;
        return answer(figure_of((enum figure)i), old, old_size, value);
    }
    const bool is_done = is_purge(name);
    if (is_done) (void)malloc_trim(0);
    control_function found = atomic_load_explicit(&next, memory_order_relaxed);
    if (UNLIKELY(!found)) found = find_next();
    atomic_store_explicit(&next, found, memory_order_relaxed);
    if (found) return found(name, old, old_size, value, value_size);
    return is_done ? 0 : ENOENT;
}
