// Is there from the start, and finds libc's malloc and free behind everybody else's, each when it
// is first needed.
#include <dlfcn.h>
#include <stddef.h>

void *finder_take(size_t size);
void *finder_resize(void *block, size_t size);
void finder_give(void *block);

static void *find(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

void *finder_take(size_t size)
{
    static void *(*take)(size_t);
    if (!take) take = (void *(*)(size_t))find("malloc");
    return take(size);
}

void *finder_resize(void *block, size_t size)
{
    static void *(*resize)(void *, size_t);
    if (!resize) resize = (void *(*)(void *, size_t))find("realloc");
    return resize(block, size);
}

void finder_give(void *block)
{
    static void (*give)(void *);
    if (!give) give = (void (*)(void *))find("free");
    give(block);
}
