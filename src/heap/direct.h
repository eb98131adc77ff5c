// Direct: very large blocks with a mapping of their own, so that they are remapped instead of
// copied and go back to the OS the moment they are freed. Their spans are SPAN_DIRECT and stand in
// the span map like others. Thread-safe.
#pragma once

#include "heap/span.h"

// A published SPAN_DIRECT of at least `page_count` pages at a multiple of `align`. NULL: no memory.
struct span *direct_take(size_t page_count, size_t align);

// Unmaps it.
void direct_give(struct span *span);

// Makes it `page_count` pages long; with `may_move`, its base may change. False: nothing changed.
bool direct_resize(struct span *span, size_t page_count, bool may_move);

struct direct_figures {
    size_t bytes;
    size_t count;
};
struct direct_figures direct_figures(void);
