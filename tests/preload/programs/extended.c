// jemalloc's block-returning calls, as its manual has them.
#include "program.h"

#include <errno.h>
#include <stdbool.h>

// Undefined until something is preloaded, as in a program linked against a missing library.
#define WEAK __attribute__((weak))

WEAK void *mallocx(size_t size, int flags);
WEAK void *rallocx(void *block, size_t size, int flags);
WEAK size_t xallocx(void *block, size_t size, size_t extra, int flags);
WEAK size_t sallocx(const void *block, int flags);
WEAK void dallocx(void *block, int flags);
WEAK void sdallocx(void *block, size_t size, int flags);
WEAK size_t nallocx(size_t size, int flags);
WEAK int mallctl(const char *name, void *old, size_t *old_size, void *value, size_t value_size);

enum {
    ZERO = 0x40,
    TCACHE_NONE = (-1 + 2) << 8, // MALLOCX_TCACHE(-1)
};

static bool is_zero(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0) return false;
    }
    return true;
}

static void dirty_the_heap(void)
{
    void *blocks[PROGRAM_SIZES];
    for (size_t i = 0; i < PROGRAM_SIZES; i++) {
        blocks[i] = memset(malloc(program_sizes[i]), 0xff, program_sizes[i]);
    }
    for (size_t i = 0; i < PROGRAM_SIZES; i++) free(blocks[i]);
}

static void align_and_zero(size_t size)
{
    for (int lg = 0; lg <= 16; lg++) {
        dirty_the_heap();
        unsigned char *block = mallocx(size, lg | ZERO | TCACHE_NONE);
        EXPECT(block != NULL && ((uintptr_t)block & (((size_t)1 << lg) - 1)) == 0);
        size_t real = sallocx(block, 0);
        EXPECT(real >= size && real == malloc_usable_size(block));
        EXPECT(nallocx(size, lg) == real);
        EXPECT(is_zero(block, real));
        memset(block, 1, real);
        sdallocx(block, size, lg);
    }
}

static void grow_with_zeroes(size_t size, int lg)
{
    dirty_the_heap();
    unsigned char *block = mallocx(size, lg);
    EXPECT(block != NULL);
    size_t real = sallocx(block, lg);
    memset(block, 7, real);
    unsigned char *grown = rallocx(block, size * 5, lg | ZERO);
    EXPECT(grown != NULL && ((uintptr_t)grown & (((size_t)1 << lg) - 1)) == 0);
    for (size_t i = 0; i < real; i++) EXPECT(grown[i] == 7);
    EXPECT(is_zero(grown + real, sallocx(grown, 0) - real));
    unsigned char *shrunk = rallocx(grown, size, lg);
    EXPECT(shrunk != NULL && shrunk[0] == 7 && shrunk[size - 1] == 7);
    dallocx(shrunk, lg);
}

// A block that is mostly given up is given back.
static void shrink_in_earnest(size_t from, size_t to)
{
    if (to == 0 || to > from) return;
    unsigned char *block = mallocx(from, 0);
    EXPECT(block != NULL);
    memset(block, 7, from);
    block = rallocx(block, to, 0);
    EXPECT(block != NULL);
    size_t real = sallocx(block, 0);
    EXPECT(real >= to && (real <= 64 || real < 2 * to + 4096));
    for (size_t i = 0; i < to; i++) EXPECT(block[i] == 7);
    dallocx(block, 0);
}

static void stay_in_place(size_t size)
{
    unsigned char *block = mallocx(size, 0);
    size_t real = sallocx(block, 0);
    EXPECT(xallocx(block, real, 0, 0) == real); // it fits already
    size_t after = xallocx(block, real * 64, 0, 0);
    EXPECT(after == sallocx(block, 0) && (after == real || after >= real * 64));
    // The extra bytes may be refused, and that is no failure.
    after = xallocx(block, real, real * 64, 0);
    EXPECT(after == sallocx(block, 0) && after >= real);
    dallocx(block, 0);
}

static size_t figure(const char *name)
{
    size_t figure = 0;
    size_t size = sizeof figure;
    uint64_t epoch = 1;
    (void)mallctl("epoch", NULL, NULL, &epoch, sizeof epoch); // jemalloc's are as of then
    EXPECT(mallctl(name, &figure, &size, NULL, 0) == 0 && size == sizeof figure);
    return figure;
}

// What is in use, of the heap that it is in.
static void figures_are_the_heaps(void)
{
    enum { COUNT = 1000, SIZE = 5000 };
    static void *blocks[COUNT];
    size_t before = figure("stats.allocated");
    for (int i = 0; i < COUNT; i++) blocks[i] = memset(mallocx(SIZE, 0), 1, SIZE);
    size_t after = figure("stats.allocated");
    EXPECT(after - before >= COUNT * SIZE && after - before <= 2 * COUNT * SIZE);
    EXPECT(figure("stats.active") >= after && figure("stats.resident") >= after);
    EXPECT(figure("stats.mapped") >= after);
    for (int i = 0; i < COUNT; i++) dallocx(blocks[i], 0);
    EXPECT(figure("stats.allocated") < after - COUNT * SIZE / 2);
    size_t resident = figure("stats.resident");
    EXPECT(mallctl("arena.0.purge", NULL, NULL, NULL, 0) == 0);
    EXPECT(figure("stats.resident") < resident - COUNT * SIZE / 2);
    size_t none = 0;
    EXPECT(mallctl("stats.allocated", NULL, NULL, &none, sizeof none) == EPERM);
    EXPECT(mallctl("no.such.thing", NULL, NULL, NULL, 0) == ENOENT);
}

int main(void)
{
    figures_are_the_heaps();
    for (size_t i = 0; i < PROGRAM_SIZES; i++) {
        align_and_zero(program_sizes[i]);
        grow_with_zeroes(program_sizes[i], 0);
        grow_with_zeroes(program_sizes[i], 7);
        stay_in_place(program_sizes[i]);
        for (size_t j = 0; j < PROGRAM_SIZES; j++) {
            shrink_in_earnest(program_sizes[i], program_sizes[j]);
        }
    }
    EXPECT(mallocx(PTRDIFF_MAX, 0) == NULL);
    EXPECT(nallocx(PTRDIFF_MAX, 0) == 0);
    void *block = mallocx(50, 0);
    EXPECT(rallocx(block, PTRDIFF_MAX, 0) == NULL); // and the block is still ours
    EXPECT(xallocx(block, PTRDIFF_MAX, 0, 0) == sallocx(block, 0));
    free(block); // one heap for both families
    dallocx(malloc(10), 0);
    return 0;
}
