// Recorder: the recording that this process writes, its clock, and what could not be counted.
// One per process; a forked child has to begin its own. Rows are added under the recorder's lock,
// which is never held across anything that may block or run the program's code.
#pragma once

#include "os/clock.h"
#include "os/lock.h"
#include "record/writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Why an event is not in any site's figures; the words in the file are in recorder.c.
enum recorder_loss {
    LOSS_SIGNAL, // in a signal handler that interrupted the recorder
    LOSS_ROOM,   // no room in the file for what was new
    LOSS_MEMORY, // no memory for what stands beside it
    LOSS_CHILD,  // a forked child, with all that it did
    LOSS_COUNT,
};

struct recorder {
    struct record_writer writer;
    struct lock lock;
    const void *holder; // whose lock it is: the address of his recorder_thread, once he has it
    struct record_process *process;
    struct record_lost *lost[LOSS_COUNT];
    uint64_t start_ms; // clock_coarse_ms() at time 0
};
extern struct recorder recorder;
extern __thread char recorder_thread;

static inline void recorder_take(void)
{
    lock_take(&recorder.lock);
    __atomic_store_n(&recorder.holder, &recorder_thread, __ATOMIC_RELAXED);
}

static inline bool recorder_try(void)
{
    if (!lock_try(&recorder.lock)) return false;
    __atomic_store_n(&recorder.holder, &recorder_thread, __ATOMIC_RELAXED);
    return true;
}

static inline void recorder_give(void)
{
    __atomic_store_n(&recorder.holder, NULL, __ATOMIC_RELAXED);
    lock_give(&recorder.lock);
}

// The calling thread has left whatever it did here for good (siglongjmp out of a handler): gives
// the lock back if it has it.
void recorder_abandon(void);

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

// In a forked child: another recording, which knows the modules, frames, stacks and sites of the
// parent's under the same numbers, and none of its rows. 0, or -errno and it keeps no recording: to
// the next. Whoever is within the recorder just now, further out on the same stack, goes on writing
// where the parent's was, to nowhere: `is_within`.
int recorder_reopen(bool is_within);

// After that failed: the parent's recording and, once, the user are told.
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
