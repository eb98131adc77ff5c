// Stats: tells mete of memory that does not come from malloc: mappings, pools, shared segments,
// memory of a device or of an allocator of one's own. What is told of is in the ledger and in the
// look for leaks, as a block at the caller's call stack, under a name.
//
//     void *chunk = mmap(NULL, size, …);
//     mete_track(chunk, size, "pool chunk");
//     …
//     mete_untrack(chunk);
//     munmap(chunk, size);
//
// The two functions are weak: the program is linked with nothing, and where mete does not observe
// it they do nothing, at the price of a load and a branch. They find mete in any program that the
// dynamic linker starts, position-independent or not; a static one is never observed.
//
// Thread-safe; neither allocates, fails, or touches errno. May be called in signal handlers: one
// that interrupted mete itself may not be counted (the recording says how often that was). C11 and
// C++11 on. Room: track, in libmete-preload.so.
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// What libmete-preload.so has: for languages that do not read this header, too, which must ask
// first whether it is there.
extern void mete_observer_track(const void *memory, size_t size, const char *name)
    __attribute__((weak));
extern void mete_observer_untrack(const void *memory) __attribute__((weak));

// Where mete is, or NULL. In position-dependent code a compiler would have a weak symbol that
// nobody has when it is linked be 0 for good; the global offset table is filled in at the start.
#if defined __x86_64__ && !defined __pic__ && !defined __ILP32__
#define METE_STATS_FIND(function, place)                                                           \
    __asm__(".weak " #function "\n\tmovq " #function "@GOTPCREL(%%rip), %0" : "=r"(place))
#else
#define METE_STATS_FIND(function, place) ((place) = (function))
#endif

#define METE_STATS_INLINE static inline __attribute__((always_inline, unused))

// `size` bytes at `memory` are the program's from now on: counted as an allocation, at the caller's
// stack, under `name`, until mete_untrack(), or until something else is tracked that starts there.
// In the look for leaks they are a block like any other: in use when something leads to their start
// or inside, and then so is what they lead to; lost when nothing does.
//
// `memory` may be anything, also what the process cannot read, and lie in other tracked memory or
// in a block of malloc's (which is counted, too: track the chunk of a pool or what is cut out of
// it, if totals matter). What lies in a module's data or on a living thread's stack is in use: code
// reaches it without a pointer. A whole block of malloc's, told of with the size that was asked
// for, is not counted twice: it goes on under the name, until free() or realloc().
//
// `name` is copied, 127 bytes of it at most; use few: of the first 4096 different ones each is
// kept, later ones count without a name. NULL: none. Nothing happens where there can be no
// memory: at NULL, MAP_FAILED, and past 2^47.
METE_STATS_INLINE void mete_track(const void *memory, size_t size, const char *name)
{
    void (*track)(const void *, size_t, const char *);
    METE_STATS_FIND(mete_observer_track, track);
    if (track) track(memory, size, name);
}

// It is no longer: before it is unmapped, or goes back to where it came from. Counted as a free.
// What was never tracked is counted as a free of something from before the observation, but for a
// block of malloc's: for that nothing happens.
METE_STATS_INLINE void mete_untrack(const void *memory)
{
    void (*untrack)(const void *);
    METE_STATS_FIND(mete_observer_untrack, untrack);
    if (untrack) untrack(memory);
}

#ifdef __cplusplus
}
#endif
