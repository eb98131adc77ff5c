// Heap: the general-purpose allocator. Blocks of any size for any thread, a note per block, no
// locks on the common path. It knows nothing of who watches it (see observer.h), nor that it is
// called malloc. Invariants: a block handed out is 16-byte aligned, lies inside one span, and
// resolves to its start from every address inside it until it is freed.
//
// What is no live block is a panic in the name of the user's call: the functions that end in _named
// are told it as `verb`, the others say what they are in malloc's family.
//
// Every function may be called by any thread at any time, also before constructors and after TLS
// destructors; none touches errno except where it returns NULL for want of memory (ENOMEM).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A block of at least `size` bytes (0 counts as 1), 16-byte aligned. NULL with ENOMEM.
void *heap_alloc(size_t size);

// The same, all bytes zero.
void *heap_alloc_zeroed(size_t size);

// The same, at a multiple of `align`, which must be a power of two (of any size), and of the block
// size that heap_size_for() tells: others may be somewhat larger, see borrow.h.
void *heap_alloc_aligned(size_t size, size_t align);

// Gives a live block back; NULL is nothing. Anything else is a panic that says what it was.
void heap_free(void *block);

void heap_free_named(void *block, const char *verb);

// Moves or resizes a live block; keeps its bytes up to the smaller size. NULL with ENOMEM leaves
// the old block untouched. `size` 0 counts as 1: what realloc(p, 0) means is the caller's affair.
void *heap_realloc(void *block, size_t size);
void *heap_realloc_named(void *block, size_t size, const char *verb);

// Tries to make a live block hold `size` bytes without moving it. True when it now does.
bool heap_resize(void *block, size_t size);

// The same, but only where heap_realloc() leaves the block in place as well: it moves a block that
// would be mostly empty. False, and nothing changed, where it does not.
bool heap_resize_closely(void *block, size_t size);

// Bytes that may be used at a live block (its block size). Panics on anything else.
size_t heap_block_size(const void *block);
size_t heap_block_size_named(const void *block, const char *verb);

// The same, but 0 when no live block starts there.
size_t heap_peek_size(const void *block);

// The block size that heap_alloc_aligned(size, align) would give; 0 when it could give none.
size_t heap_size_for(size_t size, size_t align);

// Returns free memory to the OS, all but `keep` bytes of it. Bytes returned.
size_t heap_trim(size_t keep);

// Another allocator of the process, of whose blocks the program may hand us some. NULL: it has no
// such function.
struct heap_neighbour {
    void (*free)(void *block);
    void *(*realloc)(void *block, size_t size);
    size_t (*block_size)(void *block);
    bool (*has_blocks)(void); // false: nothing can be its block; NULL: it may have some
};

// From now on what is in no span of this heap goes to the neighbour instead of ending the process.
// NULL ends that. To be called while the process has one thread; *neighbour stays for ever.
void heap_set_neighbour(const struct heap_neighbour *neighbour);

// Fork: prepare takes every lock, the other two release them; the child's other threads are gone,
// their blocks stay valid and may be freed. Called by whoever owns the process (preload).
void heap_fork_prepare(void);
void heap_fork_parent(void);
void heap_fork_child(void);

// The helper that returns memory to an idle system is a thread that libc does not know. Around
// calls that must find the process as its program made it (setuid, unshare): pause ends the helper
// and resume lets one come again. Finish ends it and does its work at once: before a fork that runs
// no handlers.
void heap_pause_helper(void);
void heap_resume_helper(void);
void heap_finish_helper(void);

// In the child of such a fork. Async-signal-safe.
void heap_fork_child_bare(void);

// None comes any more: the process has put itself under a seccomp filter.
void heap_forbid_helper(void);

// Figures of the moment, all in bytes unless named count. Racy under threads, never torn.
struct heap_stats {
    size_t mapped_bytes;      // address space held for blocks, direct mappings excluded
    size_t live_block_bytes;  // block bytes handed out, direct mappings excluded
    size_t live_blocks;       // their count
    size_t free_dirty_bytes;  // free page runs that are resident
    size_t free_clean_bytes;  // free page runs that are not
    size_t direct_bytes;      // blocks with a mapping of their own
    size_t direct_blocks;     // their count
    size_t metadata_bytes;    // spans, planes, maps
    size_t mapped_bytes_peak; // largest mapped_bytes + direct_bytes so far
};
void heap_stats(struct heap_stats *stats_out);

// One row per size class, for malloc_info; returns the number of classes, fills at most `max`.
struct heap_class_stats {
    size_t block_size;
    size_t spans;
    size_t live_blocks;
    size_t free_blocks; // touched or not
};
size_t heap_class_stats(struct heap_class_stats *rows_out, size_t max);

// Settings, changeable at any time (mallopt, METE=).
struct heap_settings {
    size_t
        direct_size_min; // from this size on a block gets a mapping of its own (M_MMAP_THRESHOLD)
    size_t dirty_bytes_keep; // free resident bytes kept before any are returned (M_TRIM_THRESHOLD)
    bool is_keep_exact;      // no more is kept: else also as much as was in use a moment ago
    unsigned purge_delay_ms; // how long the helper lets memory rest before it returns it
    bool use_helper;         // whether a short-lived helper may be made at all
};
struct heap_settings heap_settings(void);
void heap_configure(const struct heap_settings *settings);
