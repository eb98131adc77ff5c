// Tuning: mallopt() and malloc_trim(), with glibc 2.36's results.
// Of its parameters three mean something to this heap; the others steer parts that it does not have
// and are accepted, as is a number that glibc does not know.

#include "heap/heap.h"
#include "preload/export.h"
#include "preload/perturb.h"

#include <malloc.h>
#include <stddef.h>
#include <stdint.h>

// glibc's largest fast chunk on 64-bit machines; M_MXFAST above it is refused.
#define MXFAST_MAX 160

// glibc turns the int into a size_t, so that -1 means "no limit": mallopt(M_TRIM_THRESHOLD, -1)
// disables trimming.
static size_t as_size(int value)
{
    return (size_t)(ptrdiff_t)value;
}

static void set_direct_size(size_t size)
{
    struct heap_settings settings = heap_settings();
    settings.direct_size_min = size;
    heap_configure(&settings);
}

// Below 0 glibc never returns memory unasked, nor does the heap at PTRDIFF_MAX; what exceeds half
// of the address space is as good as that.
static void set_dirty_keep(size_t bytes)
{
    struct heap_settings settings = heap_settings();
    settings.dirty_bytes_keep = bytes < PTRDIFF_MAX ? bytes : PTRDIFF_MAX;
    settings.is_keep_exact = true; // who names a threshold means it
    heap_configure(&settings);
}

EXPORT int mallopt(int parameter, int value)
{
    switch (parameter) {
    case M_MMAP_THRESHOLD: set_direct_size(as_size(value)); return 1;
    case M_TRIM_THRESHOLD: set_dirty_keep(as_size(value)); return 1;
    case M_PERTURB: perturb_set(value); return 1;
    case M_MXFAST: return as_size(value) <= MXFAST_MAX;
    default: return 1;
    }
}

EXPORT int malloc_trim(size_t keep)
{
    return heap_trim(keep) > 0;
}
