#include "track/leak_regions.h"

#include <stdatomic.h>
#include <stdbool.h>

static struct {
    struct region {
        _Atomic uintptr_t start; // 0: free
        _Atomic size_t size;
    } all[LEAK_REGIONS_MAX];
    _Atomic bool is_too_small; // for one that there was: which, nobody knows
} state;

void leak_regions_add(uintptr_t start, size_t size)
{
    if (start == 0 || size > UINTPTR_MAX - start) return;
    for (size_t i = 0; i < LEAK_REGIONS_MAX; i++) {
        uintptr_t expected = 0;
        if (!atomic_compare_exchange_strong(&state.all[i].start, &expected, start)) continue;
        atomic_store(&state.all[i].size, size);
        return;
    }
    atomic_store(&state.is_too_small, true);
}

void leak_regions_remove(uintptr_t start, size_t size)
{
    for (size_t i = 0; i < LEAK_REGIONS_MAX && start != 0; i++) {
        struct region *region = &state.all[i];
        uintptr_t expected = start;
        if (atomic_load(&region->start) != start || atomic_load(&region->size) != size) continue;
        if (atomic_compare_exchange_strong(&region->start, &expected, 0)) return;
    }
}

bool leak_regions_are_whole(void)
{
    return !atomic_load(&state.is_too_small);
}

void leak_regions_walk(void (*see)(void *context, uintptr_t start, uintptr_t end), void *context)
{
    for (size_t i = 0; i < LEAK_REGIONS_MAX; i++) {
        const uintptr_t start = atomic_load(&state.all[i].start);
        if (start != 0) see(context, start, start + atomic_load(&state.all[i].size));
    }
}
