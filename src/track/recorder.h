// Recorder: the recording that this process writes, its clock, and what could not be counted.
// One per process; a forked child has to begin its own. Rows are added under the recorder's lock,
// which is held while the file grows, and never across what waits for another thread or runs the
// program's code.
#pragma once

#include "os/clock.h"
#include "record/writer.h"
#include "track/held_lock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Why an event is not in any site's figures; the words in the file are in recorder.c.
enum recorder_loss {
    LOSS_SIGNAL, // in a signal handler that interrupted the recorder
    LOSS_LEFT,   // one that a handler jumped out of: counted whole, in part or not at all
    LOSS_ROOM,   // no room in the file for what was new
    LOSS_MEMORY, // no memory for what stands beside it
    LOSS_CHILD,  // a forked child, with all that it did
    LOSS_STRICT, // all that came after
    LOSS_COUNT,
};

struct recorder {
    struct record_writer writer;
    struct held_lock lock;
    struct record_process *process;
    struct record_lost *lost[LOSS_COUNT];
    uint64_t start_ms; // clock_coarse_ms() at time 0
};
extern struct recorder recorder;

static inline void recorder_take(void)
{
    held_lock_take(&recorder.lock);
}

static inline bool recorder_try(void)
{
    return held_lock_try(&recorder.lock);
}

static inline void recorder_give(void)
{
    held_lock_give(&recorder.lock);
}

struct recorder_options {
    const char *path;   // where: a pattern with %p, %i and %n; see recorder_open()
    bool has_arguments; // whether the command line may be written down
    int argument_count;
    char **arguments;
    void (*refused)(const char *path, int error); // the first child that could not record
};

// Begins the recording: its path has the pid in place of %p, the program's name in place of %n, and
// in place of %i the first number from 1 on for which there is no file yet. 0, or -errno.
int recorder_open(const struct recorder_options *options);

// Removes what was begun and cannot go on; there is no recording then.
void recorder_drop(void);

// In a forked child: another recording, which knows the modules, frames, stacks and sites of the
// parent's under the same numbers, and none of its rows. 0, and recorder_settle() follows, or
// -errno and recorder_refuse() does. `is_within`: somebody is within the recorder just now, further
// out on the same stack.
int recorder_reopen(struct recorder *parent_out, bool is_within);

// Lets go of the parent's recording, or, where the child's is not kept, of that. Whoever is within
// the recorder goes on writing where the parent's was, to nowhere.
void recorder_settle(struct recorder *parent, bool is_kept, bool is_within);

// A child has none: the parent's recording and, once, the user are told. What is still written goes
// nowhere.
void recorder_refuse(int error);

// The last words: how it ended, and when.
void recorder_end(enum record_state state);

static inline uint64_t recorder_now_ms(void)
{
    return clock_coarse_ms() - recorder.start_ms;
}

// Takes no lock.
void recorder_lose(enum recorder_loss why);

// Under the lock.
struct record_text recorder_text(const char *text);

static inline void *recorder_row(enum record_table table, uint32_t index)
{
    return record_writer_row(&recorder.writer, table, index);
}
