// A free() that only passes on, to the first one there is: no allocator, though it looks like one.
#include <dlfcn.h>
#include <stddef.h>

void free(void *block)
{
    void (*first)(void *) = NULL;
    *(void **)&first = dlsym(RTLD_DEFAULT, "free");
    first(block);
}
