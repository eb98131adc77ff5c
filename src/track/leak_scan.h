// Leak scan: which live blocks of this process something still leads to, and how the others hang
// together. Whoever uses it holds the process still, and gives it the roots: memory and words that
// may hold pointers. Conservative: whatever looks like the address of a block, or of anything
// inside one, is a pointer to it; so a lost block may be missed, and one that is in use is never
// lost.
//
// 1. leak_scan_begin(); the roots, by leak_scan_word() and leak_scan_memory(); leak_scan_reach().
// 2. leak_scan_split(): lost blocks that no other lost one leads to are direct leaks, the others
//    indirect; of a cycle that nothing leads to, one is direct (as in Valgrind's memcheck).
// 3. leak_scan_kind() of any live block, leak_scan_kind_tracked() of what the program tracks;
//    leak_scan_end().
//
// What the program tracks (mete_track) are blocks, too, wherever they lie.
//
// Takes a sixteenth of the addresses of small blocks and some 2 MiB. No locks; allocates nothing
// from the heap.
#pragma once

#include "heap/locate.h"
#include "os/memory_map.h"
#include "os/memory_reader.h"
#include "record/tables.h"
#include "track/leak_marks.h"
#include "track/leak_range.h"
#include "track/leak_tracked.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LEAK_READING_MAX = 32, // blocks whose memory is on its way to the cache (measured)
    LEAK_SEEN_MAX = 16,    // addresses whose span is, and of these, whose block's marks are
    LEAK_STACK_MAX = 1 << 17,
    LEAK_BUFFER_SIZE = 64 * 1024,
    LEAK_HOLES_MAX = 1 << 14,
    LEAK_TRACKED_PLAIN_MAX = 1 << 24, // of larger ranges it is asked first what is mapped at all
};

// Addresses that may lie in a block, on their way to what is known of it: a ring.
struct leak_addresses {
    uintptr_t all[LEAK_SEEN_MAX];
    unsigned first;
    unsigned count;
};

struct leak_blocks {
    struct leak_block {
        uintptr_t start;
        bool is_start;
    } all[LEAK_SEEN_MAX];
    unsigned first;
    unsigned count;
};

enum leak_step {
    LEAK_REACHING,
    LEAK_LEADING,   // in the order of addresses, each lost block that none before has led to leads
    LEAK_RELEADING, // in the reverse order, each leader that none before has led to does
    LEAK_TELLING,   // each leader leads once more, and each that it comes across is told
};

// Starts of blocks, or handles of what is tracked.
struct leak_teller {
    void (*tell)(void *context, uintptr_t lost, uintptr_t leader);
    void *context;
};

struct leak_scan {
    struct leak_marks marks;
    struct leak_tracked tracked;
    uintptr_t low; // of all spans
    uintptr_t high;
    uintptr_t first; // of all words that may lead anywhere
    uintptr_t end;
    enum leak_step step;
    bool is_reversed;      // marks of what is come across say the opposite; see leak_marks.h
    uintptr_t leader;      // of what is come across just now
    uint64_t leader_count; // so far
    bool has_met;          // one came across what another had
    struct leak_teller teller;

    uintptr_t *stack; // starts of blocks, and handles of what is tracked, to be scanned
    size_t depth;
    size_t room;        // on it: LEAK_STACK_MAX, but where a test wants less
    bool has_overflown; // some that are not scanned are not on it
    size_t searches;    // through all marks, for those that are not on it
    bool only_sweeps;   // however little they find: where a test wants that
    bool is_sweeping;   // it is not used: all that is to be scanned is found by its marks
    uintptr_t reading[LEAK_READING_MAX];
    unsigned reading_count;
    unsigned reading_first;
    struct leak_addresses pages; // what of is asked for
    struct leak_blocks blocks;   // whose marks are

    struct leak_range *holes; // in the heap's spans, which loads must not touch; in address order
    size_t hole_count;        // more than there is room for: no loads at all

    struct page_contents contents;
    struct memory_reader reader;
    int memory_fd; // /proc/thread-self/mem: what the program has made unreadable
    char *buffer;
};

// False without memory; then nothing is to be undone.
bool leak_scan_begin(struct leak_scan *self);
void leak_scan_end(struct leak_scan *self);

// The program has changed what the heap had mapped there: it may not be readable, or not be there.
// In address order.
void leak_scan_hole(struct leak_scan *self, uintptr_t start, uintptr_t end);

// Roots: a word, and the pages of [start, end) that hold anything.
void leak_scan_word(struct leak_scan *self, uintptr_t word);
void leak_scan_memory(struct leak_scan *self, uintptr_t start, uintptr_t end, bool is_shared);
// Of a range that may be as large as the address space, what is mapped.
void leak_scan_mapped(struct leak_scan *self, uintptr_t start, uintptr_t end);

// The block that the word leads to is in use, but nothing that it holds leads anywhere. Its start,
// or 0: there is none.
uintptr_t leak_scan_closed(struct leak_scan *self, uintptr_t word);

// All that the roots lead to.
void leak_scan_reach(struct leak_scan *self);

void leak_scan_split(struct leak_scan *self);

// After that, once: tells of each indirect leak, and of one direct leak that leads to it.
void leak_scan_tell(struct leak_scan *self, const struct leak_teller *teller);

// Of a live block.
enum record_leak_kind leak_scan_kind(const struct leak_scan *self, uintptr_t start);
// Of self->tracked.all[index].
enum record_leak_kind leak_scan_kind_tracked(const struct leak_scan *self, size_t index);

// Reads memory that may be gone or unreadable. False: it cannot be.
bool leak_scan_read(struct leak_scan *self, uintptr_t start, void *out, size_t size);
