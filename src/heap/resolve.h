// Resolve: from any word to the block it points at or into, and every block there is; in this
// process or, through a memory reader, in another one that carries the same heap. Nothing read is
// trusted: whatever does not add up is "no block". A process that goes on running meanwhile gives
// an answer that was true of some moment, block by block. Never a crash.
#pragma once

#include "heap/note.h"
#include "os/memory_reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HEAP_LAYOUT_VERSION = 1 };

// Where tools find the heap. The preload object exports one as mete_heap_root.
struct heap_root {
    uint32_t magic; // HEAP_ROOT_MAGIC
    uint32_t layout_version;
    uint32_t span_struct_size; // a reader of other sizes must not go on
    uint32_t class_count;
    uintptr_t map; // of the span map's root slots
};

#define HEAP_ROOT_MAGIC UINT32_C(0x6574656d) // "mete" in memory

extern struct heap_root mete_heap_root;

enum heap_block_state {
    HEAP_BLOCK_FREE, // or pending: no use of it is legal
    HEAP_BLOCK_LIVE, // handed out
};

struct heap_block {
    uintptr_t start;
    size_t block_size;
    size_t size; // requested, as far as the note knows; the block size for site 0
    uint32_t site;
    enum heap_block_state state;
};

// What `word` points at or into. False: nothing of the heap at `root` (its address in the process
// that `reader` reads), or it could not be read.
bool heap_resolve(const struct memory_reader *reader, uintptr_t root, uintptr_t word,
                  struct heap_block *block_out);

// Calls `visit` for every live block, in address order, until it returns false. 0, or -errno when
// the heap could not be read; -EPROTO when the root is of another version. Allocates nothing, takes
// no lock; `visit` may do what it likes.
int heap_walk(const struct memory_reader *reader, uintptr_t root,
              bool (*visit)(void *context, const struct heap_block *block), void *context);
