// A library that looks for malloc in its own dependencies first: it frees what the program gave it,
// and gives what the program frees.
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

char *trade(char *block);

char *trade(char *block)
{
    char *grown = realloc(block, 10000);
    void *aligned;
    if (!grown || malloc_usable_size(grown) < 10000) return NULL;
    if (posix_memalign(&aligned, 4096, 100) || (unsigned long)aligned % 4096) return NULL;
    free(aligned);
    free(memalign(64, 100));
    free(aligned_alloc(64, 128));
    free(valloc(1));
    free(pvalloc(1));
    free(reallocarray(NULL, 3, 5));
    char *text = strdup(grown); // libc's own call of malloc
    free(grown);
    volatile size_t huge = (size_t)-1;
    if (calloc(huge, 2) || errno != ENOMEM) return NULL;
    return text;
}
