// Large: blocks above SMALL_SIZE_MAX: whole pages, a span each, from the page heap or, from a
// settable size on, with a mapping of their own. Thread-safe: such blocks have no owner, whoever
// frees one does all the work.
#pragma once

#include "heap/page_heap.h"
#include "heap/span.h"

// A published span whose block holds `size` bytes at a multiple of `align`, and then just the pages
// that large_size_for() tells; with `align` 0 it may be somewhat longer. NULL without memory.
// Its is_dirty says whether its bytes may be other than zero.
struct span *large_take(size_t size, size_t align, enum page_wish wish);

// Claims the right to free it: false when somebody did already.
bool large_claim(struct span *span);

// Gives a claimed span back.
void large_give(struct span *span);

// Makes the block hold `size` bytes. With `may_move`, a DIRECT span's base may change.
bool large_resize(struct span *span, size_t size, bool may_move);

// Moves a live LARGE block's pages to a longer span, which is published and live; the old one is
// gone. NULL, and nothing changed, when that cannot be done or would not pay.
struct span *large_move(struct span *span, size_t size);

// The block size that a request gets, without one: whole pages.
size_t large_size_for(size_t size);

// From this size on blocks are DIRECT.
size_t large_direct_size_min(void);
void large_set_direct_size_min(size_t size);
