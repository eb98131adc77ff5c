// Tally: a site's figures, by thread. A thread writes only rows of its own, with plain stores; a
// site's rows are chained. A thread that comes to a site for the first time goes on in a row that
// an ended thread has left, or adds one. What has no thread of its own (an event in a handler, or
// after a thread's end) goes into rows that are shared, under the recorder's lock.
#pragma once

#include "track/course.h"
#include "track/index.h"
#include "track/recorder.h"

// What one thread writes. Its slot is its row in `threads`; a slot that an ended thread has left
// goes to the next one when there are no others, with all rows that are its.
struct tally {
    uint32_t slot;
    struct record_thread *thread;
    struct index rows; // of sites whose first row is another's: the row that is ours
    struct course_share share;
};

struct event {
    uint64_t now_ms;
    uint32_t site;
    uint64_t size; // requested
    uint64_t block_size;
};

// After recorder_open(), and in a forked child after recorder_reopen(): no rows, no threads. False
// without memory: then all is as it was.
enum tally_old {
    TALLY_OLD_LEFT,   // what was before, if anything, is given back
    TALLY_OLD_IN_USE, // whoever is within it, further out on the same stack, still reads there
};
bool tally_begin(enum tally_old old);

// Takes a slot for the calling thread. False without room: it shares.
bool tally_enter(struct tally *self);
void tally_leave(struct tally *self);

// Whoever still counts in `self`, which a forked child's parent had, counts for `other` from now
// on; for NULL: to nowhere.
void tally_redirect(struct tally *self, const struct tally *other);

// Counts. False, and the loss is counted, without room for a row.
bool tally_allocation(struct tally *self, const struct event *event);
// A free is of a temporary block when that was this thread's last allocation.
bool tally_free(struct tally *self, const struct event *event, bool is_temporary);

// The allocation that was counted last is one of the forked parent's.
void tally_inherit(struct tally *self, const struct event *event);

// The allocation that was counted before was the second half of a realloc from `old_size`.
void tally_resize(struct tally *self, const struct event *event, uint64_t old_size);

// Takes a free back: the block was not freed after all.
void tally_keep(struct tally *self, const struct event *event, bool is_temporary);

// A block from before the observation was freed.
void tally_unseen(struct tally *self);

// The same for whom nothing is: with the recorder's lock.
struct tally *tally_shared(void);
