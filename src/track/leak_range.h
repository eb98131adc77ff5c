// Leak range: pieces of the process's memory, as a leak scan puts them in order.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct leak_range {
    uintptr_t start;
    uintptr_t end;
};

// By where they start.
void leak_ranges_sort(struct leak_range *all, size_t count);
