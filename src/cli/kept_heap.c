#define _DEFAULT_SOURCE
#include "cli/large_pages.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

// glibc's malloc maps what is larger than 32 MiB by itself, whatever it is told (mallopt(3)).
enum { MAPPED_FROM = 32 << 20, GROWTH = 64 << 20, LARGE_PAGE = 2 << 20 };

void large_pages_use(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED_FROM);
    (void)mallopt(M_TRIM_THRESHOLD, INT32_MAX); // what was made is used again
    (void)mallopt(M_TOP_PAD, GROWTH);
    const uintptr_t begin = ((uintptr_t)sbrk(0) + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
    void *volatile grown = malloc(LARGE_PAGE); // more than is left of the heap
    free(grown);
    const uintptr_t end = (uintptr_t)sbrk(0) / LARGE_PAGE * LARGE_PAGE;
    if (begin >= end) return; // another malloc, or a limit
    (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}
