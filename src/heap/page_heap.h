// Page heap: the runs of pages that no span uses, and the traffic with the OS.
// Resident runs are preferred, since they cost no page fault. Dirty memory beyond a limit goes back
// to the OS, oldest first: what is kept is a settable amount, and what lets the program use again
// as much as it did a moment ago. page_store.h has the pages and says what goes; here are the lock
// and what users ask for.
//
// Thread-safe: one lock, never held across a system call, but for the mapping of a fresh segment,
// the unmapping of clean runs when the OS has no more, and the remapping of direct mappings.
#pragma once

#include "heap/span.h"

// Which free runs a taker would rather have.
enum page_wish {
    PAGES_ANY,  // resident ones first: they will be written anyway
    PAGES_BARE, // clean ones only: memory will be moved in, so none is needed
    PAGES_ZERO, // clean ones first: is_dirty then says whether they must still be zeroed
};

// A run of at least `page_count` pages whose start is a multiple of `align` (a power of two, at
// least a page), as a span whose base, size, page_count and is_dirty are set; in no map yet:
// page_heap_publish does that. NULL when the OS has no more.
struct span *page_heap_take(size_t page_count, size_t align, enum page_wish wish);

// The same for whoever can do with fewer pages, as far down as `least`, at most 64: then resident
// ones are taken before the wanted number of others.
struct span *page_heap_take_some(size_t page_count, size_t least);

// Enters a span, whose state says what it is now, in the span map.
void page_heap_publish(struct span *span);

// Takes back a span that it gave. The struct is not the caller's any more; all its pages count as
// dirty. No system call: whoever gave calls page_heap_balance() once it holds no lock.
void page_heap_give(struct span *span);

// The same for a run whose pages the OS has back: they read as zero.
void page_heap_give_clean(struct span *span);

// Gives a run up, unpublished: its addresses are somebody else's now, or nobody's.
void page_heap_forget(struct span *span);

// Takes back a LARGE span that somebody may soon want just so: it stays published, and
// page_heap_take_kept() gives it, or one up to an eighth longer than asked; NULL when none is kept.
void page_heap_keep(struct span *span);
struct span *page_heap_take_kept(size_t page_count);

// Returns dirty memory beyond the limit, or has the helper come for it later. Quick when there is
// none.
void page_heap_balance(void);

// Makes a LARGE span longer or shorter in place. False, and nothing changed, when what follows is
// in use.
bool page_heap_resize(struct span *span, size_t page_count);

// Gives every free run back to the OS, because it has no more: true when something went, and asking
// it again may succeed.
bool page_heap_relieve(void);

// Returns dirty runs to the OS, oldest first, until at most `keep` bytes are dirty, but none freed
// after `freed_ms_max`; also clean address space that is surplus. Bytes returned that were
// resident. Uses no thread-local storage.
size_t page_heap_purge(size_t keep, uint64_t freed_ms_max);

// The first small span at or after `address` that could be made busy, so that it stays what it is
// until the caller gives busy back; NULL when there is none. Uses no thread-local storage.
struct span *page_heap_next_small(uintptr_t address);

struct page_heap_figures {
    size_t mapped_bytes; // of segments
    size_t dirty_bytes;
    size_t clean_bytes;
    size_t dirty_keep; // the setting
    size_t peak_bytes; // of mapped_bytes and direct mappings together
};
struct page_heap_figures page_heap_figures(void);

// Free resident bytes kept before any go back (settings): also what was in use a moment ago, or
// just those.
void page_heap_keep_recent(size_t bytes);
void page_heap_keep_just(size_t bytes);

// Bytes in direct mappings, for the peak. The caller holds the lock.
void page_heap_note_direct(size_t bytes);

// Around page_heap_next_small(), from the first call to the last.
void page_heap_begin_walk(void);
void page_heap_end_walk(void);

// In a forked child: what others were purging is taken over at once, by whoever holds the lock, or
// as it is next taken: a lone thread may have been interrupted by the handler that forks.
void page_heap_fork_child_locked(void);
void page_heap_fork_child_alone(void);

void page_heap_lock(void); // for fork, and for walkers that need the map to stand still
bool page_heap_try_lock(void);
void page_heap_unlock(void);
