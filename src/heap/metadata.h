// Metadata: memory for the heap's own structures, out of reach of the blocks.
// Pieces are 64-byte aligned. Nothing is ever returned to the OS, so a stale pointer reads some
// piece of the same kind and size. Thread-safe; its lock is a leaf: nothing else is taken while it
// is held.
#pragma once

#include "os/lock.h"

#include <stdbool.h>
#include <stddef.h>

enum { METADATA_PIECE_MAX = 16 * 1024 };

// Pieces of one kind are never handed out as the other.
enum metadata_kind {
    METADATA_PLAIN, // any bytes: the taker initialises
    METADATA_SPAN,  // struct span, so that a stale pointer to one reads one
    METADATA_NOTES,
    METADATA_PLANE, // all zero, because the giver leaves it so
    METADATA_KIND_COUNT,
};

// A piece of `size` bytes, at most METADATA_PIECE_MAX. NULL without memory.
void *metadata_take(enum metadata_kind kind, size_t size);

// Gives a piece back for the next taker of the same kind and size.
void metadata_give(enum metadata_kind kind, void *piece, size_t size);

// A whole mapping, never given back, zero and untouched.
void *metadata_map(size_t size);

// Bytes of address space taken so far.
size_t metadata_bytes(void);

void metadata_lock(void); // for fork
void metadata_unlock(void);
