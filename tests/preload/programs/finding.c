// Frees what libc's own heap gave, to which a library found the way before anything was loaded, and
// has that library free it after something was.
#include <dlfcn.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void *finder_take(size_t size);
void *finder_resize(void *block, size_t size);
void finder_give(void *block);

int main(void)
{
    for (size_t size = 10; size < 10000000; size *= 10) {
        free(finder_take(size));
        char *block = realloc(strcpy(finder_take(size), "a text"), size * 2);
        if (!block || strcmp(block, "a text") != 0) return 1;
        free(block);
    }
    void *early = finder_take(100);
    if (malloc_usable_size(early) < 100) return 2;
    if (!dlopen("libm.so.6", RTLD_NOW)) return 3;
    finder_give(finder_resize(early, 200));
    finder_give(malloc(50));
    free(finder_resize(finder_take(100), 1000));
    return 0;
}
