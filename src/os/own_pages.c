#include "os/own_pages.h"

#include "os/pages.h"

#include <stdatomic.h>

// start 0: free; 1: being written.
struct range {
    _Atomic uintptr_t start;
    _Atomic size_t size;
};

static struct {
    struct range ranges[OWN_PAGES_MAX];
    _Atomic size_t next; // where a free place may be: the search begins there
} state;

void own_pages_note(const void *address, size_t size)
{
    size_t first = atomic_load_explicit(&state.next, memory_order_relaxed);
    for (size_t i = 0; i < OWN_PAGES_MAX; i++) {
        struct range *range = &state.ranges[(first + i) % OWN_PAGES_MAX];
        uintptr_t free = 0;
        if (!atomic_compare_exchange_strong_explicit(&range->start, &free, 1, memory_order_relaxed,
                                                     memory_order_relaxed)) {
            continue;
        }
        atomic_store_explicit(&range->size, size, memory_order_relaxed);
        // release: pairs with the acquire in own_pages_at()
        atomic_store_explicit(&range->start, (uintptr_t)address, memory_order_release);
        atomic_store_explicit(&state.next, first + i + 1, memory_order_relaxed);
        return;
    }
}

void own_pages_forget(const void *address, size_t size)
{
    for (size_t i = 0; i < OWN_PAGES_MAX; i++) {
        struct range *range = &state.ranges[i];
        if (atomic_load_explicit(&range->start, memory_order_relaxed) != (uintptr_t)address ||
            atomic_load_explicit(&range->size, memory_order_relaxed) != size) {
            continue;
        }
        atomic_store_explicit(&range->start, 0, memory_order_relaxed);
        return;
    }
}

void *own_pages_map(size_t size)
{
    void *address = pages_map(size);
    if (address) own_pages_note(address, size);
    return address;
}

void own_pages_unmap(void *address, size_t size)
{
    own_pages_forget(address, size);  // first: what comes there next is not ours
    (void)pages_unmap(address, size); // refused: purged, its address space is lost
}

bool own_pages_at(size_t index, uintptr_t *start_out, uintptr_t *end_out)
{
    struct range *range = &state.ranges[index];
    // acquire: pairs with the release in own_pages_note()
    uintptr_t start = atomic_load_explicit(&range->start, memory_order_acquire);
    if (start <= 1) return false;
    *start_out = start;
    *end_out = start + atomic_load_explicit(&range->size, memory_order_relaxed);
    return true;
}
