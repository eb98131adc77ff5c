// Recordings spill: keeps the recordings of processes that have ended from filling memory while a
// run goes on: past a limit they are cut to their size and put beside the place where they end.
// What lies in memory is bounded by that limit and by the processes that live. What the command's
// own process leaves at its end stays: then all are taken to their place at once. Belongs to the
// command line.
#pragma once

#include "cli/live_folder.h"
#include "cli/successors.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct recordings_spill {
    int events; // that a file in the live folder is no longer written to; -1: nobody says so
    const struct live_folder *live;
    struct live_folder *disk;
    const char *beside;
    uint64_t ended_bytes;         // in memory, of recordings whose processes have ended
    bool wants_children;          // else only the largest of those that ended is kept
    bool has_child;               // one is kept
    uint64_t child_peak_bytes;    // of it
    bool is_stuck;                // there is nowhere to put them
    struct successors successors; // of processes that let go of theirs
};

// `live` is where recordings are made. `disk` is closed, and is opened in `beside` when it is
// needed; both are lent until the end. What cannot be done is not: recordings stay in memory.
// `wants_children`: otherwise nothing is kept but what may be the main program's.
void recordings_spill_open(struct recordings_spill *self, const struct live_folder *live,
                           struct live_folder *disk, const char *beside, bool wants_children);

// Looks after one recording that has ended, of those that `events` tells of. `command_pid`: of the
// process with which the run ends.
void recordings_spill_next(struct recordings_spill *self, pid_t command_pid);

void recordings_spill_close(struct recordings_spill *self);
