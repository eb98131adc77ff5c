// Reader: a recording becomes arrays of the structs of tables.h. It trusts nothing in the file.
// What it hands out is a private copy, so that a program that is still recording changes nothing:
// tables are read before those they point to, and each as long as it was when its turn came.
// Invariants of a recording that was opened, whatever the file held:
//   one row in `process`; names_count <= frames_count; texts lie in `bytes`;
//   nodes[i].parent < i or RECORD_NONE; nodes[i].frame < frames_count; depth at `depth_max` at
//   most; frames[i].module < modules_count or RECORD_NONE; sites[i].node likewise; rows[i].site <
//   sites_count, of each site one row at most; rows[i].thread < threads_count or RECORD_NONE;
//   rows[i].snapshots <= RECORD_SNAPSHOTS, and what they hold is finite; names[i] lies in `lines`;
//   leaks[i].site < sites_count, and leaks[i].kind is one of ours;
//   a site's threads lie in `site_threads`, and these in `threads` or are RECORD_NONE.
// Uses libc's heap: for mete's own process alone. A recording belongs to one thread at a time.
#pragma once

#include "record/tables.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    READER_ROW_SIZE_MAX = 65536, // bytes of one row in a file; ours have about 1 KiB
};
// Bytes that a recording may take in memory: twenty times what a million sites make.
#define READER_BYTES_MAX ((uint64_t)16 << 30)

#define READER_MEMBERS(table, row, columns)                                                        \
    struct row *table;                                                                             \
    size_t table##_count;
struct recording {
    RECORD_TABLES(READER_MEMBERS)
    uint64_t file_size;
    uint64_t file_space; // of that, what is not a hole: a growing recording is mostly one
    uint64_t missing;    // bytes that the tables should have behind the end of the file
    uint64_t unbelieved; // rows that were left out, or that pointed nowhere
};

enum reader_fault {
    READER_NO_FAULT,
    READER_CANNOT,    // the system said no: `error`
    READER_FOLDER,    // a directory
    READER_NO_FILE,   // a pipe, a device
    READER_EMPTY,     // not one byte
    READER_FOREIGN,   // not a mete recording
    READER_AS_TEXT,   // one whose line ends were changed on the way
    READER_NEWER,     // its version is `have`, this one reads `want`
    READER_CUT_OFF,   // `have` bytes of `want`: not even the header is whole
    READER_DAMAGED,   // its description contradicts itself: `what`
    READER_TOO_LARGE, // it would take more than READER_BYTES_MAX, or than there is
};

struct reader_problem {
    enum reader_fault fault;
    int error;
    uint64_t have;
    uint64_t want;
    const char *what; // lives forever
};

// NULL after a problem. To be closed.
struct recording *recording_open(const char *path, struct reader_problem *problem_out);

// The same of a regular file that is open; the descriptor stays the caller's.
struct recording *recording_read(int fd, struct reader_problem *problem_out);

// The same with the tables `process`, `threads` and `bytes` alone, as if there were no rows in the
// others: what is said of the process as a whole is right.
struct recording *recording_read_process(int fd, struct reader_problem *problem_out);

// As recording_open() with the tables `modules`, `frames` and `bytes` alone.
struct recording *recording_open_code(const char *path, struct reader_problem *problem_out);
void recording_close(struct recording *self);

enum { READER_PROBLEM_SIZE = 160 };
// What is the matter, in words that follow a path and a colon, without an end of line.
void reader_problem_text(const struct reader_problem *problem,
                         char text[static READER_PROBLEM_SIZE]);

// The bytes of a text, which are any bytes; not terminated, borrowed from the recording.
const char *recording_text(const struct recording *self, struct record_text text);
