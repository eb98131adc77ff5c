// Perturb: M_PERTURB, which fills blocks with a byte when they are allocated (its complement) and
// freed, so that a use of memory that holds nothing shows itself.
// Off nearly always: callers on a fast path ask perturb_is_on(), one predicted branch on a word
// that is read and almost never written, and go to the cold functions here. Thread-safe.
#pragma once

#include "base/attributes.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

// 0: off; else the least significant byte fills, as in glibc.
// Said to be hidden here, where it is used: otherwise malloc() reads its address from a table
// first.
extern _Atomic int perturb_value __attribute__((visibility("hidden")));

static inline bool perturb_is_on(void)
{
    // relaxed: a thread may see a change late, as with glibc; no other memory depends on it
    return UNLIKELY(atomic_load_explicit(&perturb_value, memory_order_relaxed) != 0);
}

void perturb_set(int value);

// Fills a new block, NULL included, and gives it back.
COLD void *perturb_allocated(void *block, size_t size);

// Fills a block that is about to be freed. What is no live block it leaves to whoever frees it.
COLD void perturb_freeing(void *block);

// heap_realloc_named() with the filling: what a block gains and the block it leaves.
COLD void *perturb_realloc(void *block, size_t size, const char *verb);
