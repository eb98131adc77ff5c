// Memory map: the mappings of this process, as the kernel lists them (/proc/thread-self/maps), and
// which of their pages hold anything. Raw system calls: nothing allocates or touches errno.
// Meant for a process that stands still; one that goes on gives what was true of some moment.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct memory_region {
    uintptr_t start;
    uintptr_t end;
    bool is_readable;
    bool is_writable;
    bool is_executable;
    bool is_shared;
    bool is_anonymous;     // no file behind it
    bool is_memory;        // shared, and no file but memory behind it either
    bool is_initial_stack; // of the initial thread
};

// Calls `see` for each, in address order, until it returns false. 0, or -errno: there is no /proc
// here, or it may not be read.
int memory_map_read(bool (*see)(void *context, const struct memory_region *region), void *context);

// Which pages hold something of this process's own: they are in memory or swapped out, and not just
// what a file has. Of shared memory: which pages are in memory at all, whoever put them there.
// Where the kernel does not say, all of them do.
enum { PAGE_CONTENTS_RUNS = 256, PAGE_CONTENTS_PAGES = 2048 };

struct page_run { // as the kernel gives it: struct page_region of linux/fs.h
    uint64_t start;
    uint64_t end;
    uint64_t categories;
};

struct page_contents {
    int fd;          // of /proc/thread-self/pagemap; -1: it does not say
    bool has_ioctl;  // PAGEMAP_SCAN (Linux 6.7): as fast as memory is sparse
    uintptr_t first; // what is known: first <= page < end
    uintptr_t end;
    size_t run_count; // with the call
    union {
        struct page_run runs[PAGE_CONTENTS_RUNS];
        uint64_t entries[PAGE_CONTENTS_PAGES];     // without it
        unsigned char shared[PAGE_CONTENTS_PAGES]; // from mincore(): of the piece asked for last
    };
};
void page_contents_open(struct page_contents *self);
void page_contents_close(struct page_contents *self);

// The next pages within [start, end) that do. False: there are none.
bool page_contents_next(struct page_contents *self, uintptr_t start, uintptr_t end,
                        uintptr_t *start_out, uintptr_t *end_out);
bool page_contents_next_shared(struct page_contents *self, uintptr_t start, uintptr_t end,
                               uintptr_t *start_out, uintptr_t *end_out);

// This process's memory as a file, through which also what may not be read can be: a descriptor, or
// -1. False: there is nothing there.
int memory_open_own(void);
void memory_close_own(int fd);
bool memory_read_own(int fd, uintptr_t start, void *out, size_t size);
