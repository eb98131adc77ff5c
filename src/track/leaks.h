// Leaks: has the process looked through, at its end, for blocks that nothing leads to any more, and
// writes what was found into its recording. What it costs is paid then; the threads stand still
// meanwhile.
#pragma once

#include "track/block_set.h"
#include "track/leak_roots.h"

#include <stdbool.h>
#include <stdint.h>

struct leaks_options {
    size_t argument_offset;            // see leak_roots.h
    const char *(*suppressions)(void); // of the program: __lsan_default_suppressions(), or NULL
    int (*is_turned_off)(void);        // the same: __lsan_is_turned_off(), or NULL
};

// It is wanted. Notes under what seccomp filters the process began. From which size on the heap is
// to keep a block's end apart from the next block: see observer.h.
size_t leaks_begin(const struct leaks_options *options);

// The process is a forked child that has just begun its own recording: what it inherits is not
// accused in it. All of it is to be told before its own first allocation.
void leaks_forked(void);
void leaks_inherit(uintptr_t start);

// Looks, at the end once; meanwhile as often as one likes, and then nothing is written down. True
// when something is lost. The caller holds no lock, and is not within the recorder.
enum leaks_moment { LEAKS_MEANWHILE, LEAKS_PERHAPS_AT_END, LEAKS_AT_END };
bool leaks_find(const struct preserved_registers *caller, enum leaks_moment moment);

// It was not the end.
void leaks_stay(void);

// The caller is within the recorder, and cannot look.
void leaks_give_up(void);

// A block that is not to be told, nor what it leads to, until it is freed.
void leaks_ignore(uintptr_t address);

// Above 0: so is all that the calling thread allocates.
extern __thread unsigned leaks_ignoring;

// A block is about to be freed.
extern struct block_set leaks_ignored;
extern struct block_set leaks_inherited;
static ALWAYS_INLINE void leaks_forget(uintptr_t start)
{
    if (UNLIKELY(!block_set_is_unused(&leaks_ignored))) block_set_remove(&leaks_ignored, start);
    if (UNLIKELY(!block_set_is_unused(&leaks_inherited))) block_set_remove(&leaks_inherited, start);
}
