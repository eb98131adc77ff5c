#include "track/leak_regions.h"

#include <stdatomic.h>

static struct {
    struct region {
        _Atomic uintptr_t start; // 0: free
        _Atomic size_t size;
    } all[LEAK_REGIONS_MAX];
    _Atomic size_t more; // that found no room
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
    atomic_fetch_add(&state.more, 1);
}

void leak_regions_remove(uintptr_t start, size_t size)
{
    for (size_t i = 0; i < LEAK_REGIONS_MAX && start != 0; i++) {
        struct region *region = &state.all[i];
        if (atomic_load(&region->start) != start || atomic_load(&region->size) != size) continue;
        atomic_store(&region->size, 0);
        atomic_store(&region->start, 0);
        return;
    }
    size_t more = atomic_load(&state.more);
    while (more > 0 && !atomic_compare_exchange_weak(&state.more, &more, more - 1)) continue;
}

bool leak_regions_are_whole(void)
{
    return atomic_load(&state.more) == 0;
}

void leak_regions_walk(void (*see)(void *context, uintptr_t start, uintptr_t end), void *context)
{
    for (size_t i = 0; i < LEAK_REGIONS_MAX; i++) {
        const uintptr_t start = atomic_load(&state.all[i].start);
        if (start != 0) see(context, start, start + atomic_load(&state.all[i].size));
    }
}
