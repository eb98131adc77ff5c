// Leaks: has the process looked through, at its end, for blocks that nothing leads to any more, and
// writes what was found into its recording. What it costs is paid then; the threads stand still
// meanwhile.
#pragma once

#include "track/leak_roots.h"

#include <stdbool.h>
#include <stdint.h>

struct leaks_options {
    size_t argument_offset; // see leak_roots.h
};

// It is wanted. Notes under what seccomp filters the process began.
void leaks_begin(const struct leaks_options *options);

// The process is a forked child that has just begun its own recording: what it inherits is not
// accused in it. All of it is to be told before its own first allocation.
void leaks_forked(void);
void leaks_inherit(uintptr_t start);

// Looks, once. The caller holds no lock, and is not within the recorder.
void leaks_find(const struct preserved_registers *caller);
