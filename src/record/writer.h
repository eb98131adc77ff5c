// Writer: a recording being made, from inside the observed process. No malloc, no errno.
// The file has its final size from the start, sparse, with room for each table up to a named limit.
// A table's rows lie in one row in memory and never move, but only as many are mapped as are used;
// pages of it are used only after the file system has said that it has them. A table that reached
// its limit, or for whose next rows the file system or the address space has no room, takes no more
// rows; what is there stays writable.
// Invariants: count <= usable <= capacity of every table; the pages of usable rows are mapped and
// populated; the count in the file never exceeds ours and follows it by a release store.
// Not thread-safe: whoever adds rows holds one lock. Rows that are there may be written by anyone.
// Whoever adds a row may be interrupted by a handler that forks, and go on in the child when in the
// writer's place stands another, which that handler has opened and filled
// (record_writer_outgrow()): then its row is refused, whatever it had done of it, and the other's
// rows are what they were.
#pragma once

#include "os/shared_file.h"
#include "record/tables.h"

#include <stdbool.h>
#include <stdint.h>

struct record_writer {
    struct shared_file file;
    struct record_writer_table {
        char *rows;
        uint32_t row_size;
        // Twice the number of those that are published, and in the file's header; plus one while
        // another is being written. Changed by whoever has the lock, in one step.
        uint32_t state;
        uint32_t usable;
        uint32_t capacity;
    } tables[RECORD_TABLE_COUNT];
    uint64_t refused; // rows that found no room
    int error;        // why the last did not: -ENOMEM (address space) or -ENOSPC
};

// The least that a recording takes, in bytes of a file that is mostly holes.
size_t record_writer_size_min(void);

// Makes the file at `path`, which must not exist, as large as the process's limits allow. 0, or
// -errno: -EFBIG and -ENOMEM also for limits on files and address space that are too small.
int record_writer_open(struct record_writer *self, const char *path);

// Unmaps it; the file stays.
void record_writer_close(struct record_writer *self);

// The same, but who still has rows may write to them, to nowhere.
void record_writer_detach(struct record_writer *self);

// The next row of a table, all zero, not yet counted: it counts from record_writer_publish() on.
// NULL, and nothing changed, without room. False: the row is another writer's (above), gone.
void *record_writer_add(struct record_writer *self, enum record_table table, uint32_t *index_out);
bool record_writer_publish(struct record_writer *self, enum record_table table);

// The number of rows that are published.
static inline uint32_t record_writer_count(const struct record_writer *self,
                                           enum record_table table)
{
    return __atomic_load_n(&self->tables[table].state, __ATOMIC_RELAXED) / 2;
}

// Room for more rows than `other` has room for, which somebody may go on writing by their index.
// False without it.
bool record_writer_outgrow(struct record_writer *self, const struct record_writer *other);

// All rows that `other` has of a table, after those that are here. False, and none of them, without
// room.
bool record_writer_copy(struct record_writer *self, const struct record_writer *other,
                        enum record_table table);

// Takes the last rows back until `count` are left: for the one table that is not append-only.
void record_writer_cut(struct record_writer *self, enum record_table table, uint32_t count);

// A copy of the bytes in the file, counted at once; empty without room.
struct record_text record_writer_text(struct record_writer *self, const char *bytes, size_t size);

// A row that is there, or will be once it is published.
static inline void *record_writer_row(const struct record_writer *self, enum record_table table,
                                      uint32_t index)
{
    const struct record_writer_table *rows = &self->tables[table];
    return rows->rows + (size_t)index * rows->row_size;
}
