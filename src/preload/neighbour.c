// It is looked for at start and not when a foreign pointer comes: dlsym() takes the loader's lock,
// which another thread may hold while it waits for ours. Later is of no use: what is loaded after
// the start comes after libc, natively as well.

#include "preload/neighbour.h"

#include "heap/heap.h"

#include <dlfcn.h>
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

// The next function of that name; NULL where it is libc's own.
static void *next_function(const char *name, const void *libc)
{
    void *function;
    const void *object = next_object(name, &function);
    return object && object != libc ? function : NULL;
}

void neighbour_find(void)
{
    static struct heap_neighbour neighbour;
    void *symbol;
    const void *libc = next_object("gnu_get_libc_version", &symbol); // which nobody else defines
    *(void **)&neighbour.free = next_function("free", libc);
    if (!libc || !neighbour.free) return;
    *(void **)&neighbour.realloc = next_function("realloc", libc);
    *(void **)&neighbour.block_size = next_function("malloc_usable_size", libc);
    heap_set_neighbour(&neighbour);
}
