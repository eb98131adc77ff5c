#include "symbols/addresses.h"

#include <stdlib.h>

size_t addresses_first_from(const uint64_t *items, size_t count, uint64_t start)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (items[middle] < start) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static int compare(const void *left, const void *right)
{
    const uint64_t *a = left;
    const uint64_t *b = right;
    return (*a > *b) - (*a < *b);
}

void addresses_sort(uint64_t *items, size_t count)
{
    if (count > 0) qsort(items, count, sizeof *items, compare);
}
