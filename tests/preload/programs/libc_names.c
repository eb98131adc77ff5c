// Blocks pass freely between malloc() and glibc's second set of names.
#include "program.h"

void *__libc_malloc(size_t size);
void __libc_free(void *block);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t align, size_t size);
void *__libc_valloc(size_t size);
void *__libc_pvalloc(size_t size);

int main(void)
{
    free(__libc_malloc(10));
    __libc_free(malloc(10));
    free(__libc_calloc(10, 10));
    free(__libc_realloc(malloc(10), 1000));
    __libc_free(realloc(__libc_malloc(10), 1000));
    free(__libc_memalign(64, 10));
    free(__libc_valloc(10));
    void *pages = __libc_pvalloc(10);
    EXPECT(malloc_usable_size(pages) >= 4096);
    free(pages);
    return 0;
}
