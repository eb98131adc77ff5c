#include "cli/kept_heap.h"

#include <malloc.h>
#include <stdint.h>

// glibc's malloc maps what is larger than 32 MiB by itself, whatever it is told (mallopt(3)).
enum { MAPPED_FROM = 32 << 20, GROWTH = 1 << 20 };

void kept_heap_use(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED_FROM);
    (void)mallopt(M_TRIM_THRESHOLD, INT32_MAX);
    (void)mallopt(M_TOP_PAD, GROWTH);
}
