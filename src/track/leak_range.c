#include "track/leak_range.h"

// Shell's sort: libc's may allocate.
void leak_ranges_sort(struct leak_range *all, size_t count)
{
    size_t gap = 1;
    while (gap < count / 3) gap = 3 * gap + 1; // D. Knuth, TAOCP 3, 5.2.1
    for (; gap > 0; gap /= 3) {
        for (size_t i = gap; i < count; i++) {
            struct leak_range range = all[i];
            size_t j = i;
            for (; j >= gap && all[j - gap].start > range.start; j -= gap) all[j] = all[j - gap];
            all[j] = range;
        }
    }
}
