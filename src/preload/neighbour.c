// It is looked for at start and not when a foreign pointer comes: dlsym() takes the loader's lock,
// which another thread may hold while it waits for ours. Later is of no use: what is loaded after
// the start comes after libc, natively as well.

#include "preload/neighbour.h"

#include "heap/heap.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>

// The start of the object that the next definition of `name` is in; that itself in *symbol_out.
static const void *next_object(const char *name, void **symbol_out)
{
    *symbol_out = dlsym(RTLD_NEXT, name);
    struct dl_find_object object;
    bool is_found = *symbol_out && _dl_find_object(*symbol_out, &object) == 0;
    return is_found ? object.dlfo_map_start : NULL;
}

// libc's own figures: what its heap has of memory, which is none unless somebody found it.
static struct mallinfo2 (*libc_figures)(void);

static bool libc_has_blocks(void)
{
    struct mallinfo2 figures = libc_figures();
    return figures.arena > 0 || figures.hblkhd > 0;
}

// The next function of that name, if it is of the same object.
static void *next_function(const char *name, const void *wanted)
{
    void *function;
    const void *object = next_object(name, &function);
    return object == wanted ? function : NULL;
}

void neighbour_find(void)
{
    static struct heap_neighbour neighbour;
    void *symbol;
    const void *libc = next_object("gnu_get_libc_version", &symbol); // which nobody else defines
    const void *object = next_object("free", &symbol);
    if (!libc || !object) return;
    *(void **)&libc_figures = next_function("mallinfo2", libc);
    if (object == libc && !libc_figures) return;
    *(void **)&neighbour.free = symbol;
    *(void **)&neighbour.realloc = next_function("realloc", object);
    *(void **)&neighbour.block_size = next_function("malloc_usable_size", object);
    if (object == libc) neighbour.has_blocks = libc_has_blocks;
    heap_set_neighbour(&neighbour);
}
