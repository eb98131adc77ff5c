#include "heap/size_class.h"

#include "os/pages.h"

enum {
    COARSE_STEPS_SHIFT = 2, // four coarse classes per doubling
    FINE_SIZE_MAX = 128,    // up to here a step is a granule anyway
};

unsigned size_class_coarse(unsigned class)
{
    size_t size = size_class_size(class);
    if (size <= FINE_SIZE_MAX) return class;
    return size_class_of(align_up(size, (size_t)1 << log2_floor(size - 1) >> COARSE_STEPS_SHIFT));
}

unsigned size_class_of_aligned(size_t size, size_t align)
{
    unsigned class = size_class_of(align_up(size, align));
    while (class < CLASS_COUNT && size_class_size(class) % align != 0) class ++;
    return class < CLASS_COUNT ? class : 0;
}

// The page count from `least` to `most` that the blocks leave least of unused.
static size_t best_fit(size_t block_size, size_t least, size_t most)
{
    size_t best = most;
    for (size_t pages = most; pages >= least; pages--) {
        size_t waste = (pages << PAGE_SHIFT) % block_size;
        size_t best_waste = (best << PAGE_SHIFT) % block_size;
        if (waste * best < best_waste * pages) best = pages; // waste per page
    }
    return best;
}

unsigned size_class_span_pages(unsigned class, unsigned spans)
{
    // 1, 4, 8, then 16 pages (measured: 16 from the start cost small programs 3 % of memory).
    size_t pages = spans == 0 ? 1 : spans < 4 ? 4 : spans < 8 ? 8 : SPAN_PAGES_MAX;
    size_t block_size = size_class_size(class);
    if (block_size <= TINY_SIZE_MAX) return (unsigned)pages;
    // At least one block: most large classes never need many.
    size_t least = align_up(block_size, PAGE_SIZE) >> PAGE_SHIFT;
    if (pages < least) return (unsigned)least;
    return (unsigned)best_fit(block_size, least > pages / 2 ? least : pages / 2 + 1, pages);
}
