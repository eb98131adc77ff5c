// Ledger: who allocated what. Fills the heap's observer: every allocation and free is counted at
// its call stack, in a recording that outlives the process however it ends.
//
// Exact, by site and in total: what a thread counts it alone writes. A thread that is already
// counting when a signal handler allocates does not count twice at once: the handler's events go to
// a site of their own, or are lost and counted so.
//
// Called by the heap and by whoever starts and ends it; all of it from any thread, also in signal
// handlers; nothing here allocates from the heap or touches errno.
#pragma once

#include "track/leaks.h"
#include "track/mappings.h"
#include "track/recorder.h"

// Opens the recording and observes; `leaks`, if not NULL: and looks for leaks at the end. 0, or
// -errno and nothing is observed.
int ledger_begin(const struct recorder_options *options, const struct leaks_options *leaks);

// The process ends, or tries to become another image, as it chose to: what happens after this is
// counted too. `caller`: whose registers and stack are looked at for leaks; NULL: it does not end.
// False when it has no recording.
bool ledger_end(enum record_state how, const struct preserved_registers *caller);

// Memory of any origin is the program's from now on, and is counted as an allocation of `size`
// bytes at `caller`'s stack, under `name` (NULL: none), of which a copy is kept. What starts where
// another does takes its place. A block of the heap of just that size is not counted twice: it goes
// on under the name. Nothing without memory or with a size that none has.
void ledger_track(const struct registers *caller, const void *memory, size_t size,
                  const char *name);

// It is no longer; counted as a free. Nothing for a block of the heap.
void ledger_untrack(const void *memory);

// What starts there, of the heap or tracked, is not to be told as lost.
void ledger_ignore(const void *memory);

// Looks for leaks without an end. True when something is lost.
bool ledger_look_for_leaks(const struct preserved_registers *caller, enum leaks_moment moment);

// After ledger_end() was true: it goes on.
void ledger_stay(void);

// A child that has no recording of its own, nor will have one of this image (made by vfork, or one
// in which nothing has happened), tries to become another program: +1, and -1 when that failed.
void ledger_child_execs(int step);

// In a child that fork() has just made. One that was made in a handler, which interrupted a count,
// begins its recording at once: what was interrupted goes on when the handler returns, and must not
// write into the parent's.
void ledger_forked(void);

// The process is about to make a thread: a child begins its recording while it has one.
void ledger_thread_comes(void);

// The program asked the kernel for address space.
void ledger_count_mapping(enum mapping_call call, size_t bytes);

// The process is about to give up every system call that a new site needs: nothing more is counted.
void ledger_confine(void);

// Code has been unloaded (dlclose).
void ledger_code_gone(void);
