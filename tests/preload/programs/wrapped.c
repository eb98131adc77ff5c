// A program with a malloc of its own that counts and passes on to "the real one".
#include "program.h"

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);

static volatile size_t calls;

void *malloc(size_t size)
{
    calls++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    calls++;
    return __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
    calls++;
    return __libc_realloc(block, size);
}

void free(void *block)
{
    __libc_free(block);
}

int main(void)
{
    exercise(0);
    free(strdup("libc's own calls come here too"));
    void *aligned = NULL;
    EXPECT(posix_memalign(&aligned, 64, 100) == 0);
    free(aligned);
    EXPECT(calls > PROGRAM_SIZES);
    return 0;
}
