// Liveness: whether a recording is still being written, and whether a process still runs. Belongs
// to the command line.
#pragma once

#include "profile/profile.h"

#include <stdbool.h>
#include <stdint.h>

enum liveness { LIVENESS_NONE, LIVENESS_SOME, LIVENESS_UNKNOWN };

// Clocks differ by what they were set between the recording's beginning and now: a guess.
enum { LIVENESS_SLACK_MS = 1000 };

// When a process was made, in milliseconds since 1970; false if there is none of that pid.
bool liveness_process_begin(uint32_t pid, uint64_t *begin_ms_out);

// Of a regular file that is open for reading alone: whether any process has it mapped or open for
// writing, also one that is another user's or counts its pids elsewhere. Unknown where the file is
// another user's or its file system cannot say.
enum liveness liveness_of_file(int fd);

// Whether the process that a recording is of still runs on this machine: there is a process of its
// pid that runs its program and is no younger than the recording. A guess where pids count
// otherwise (another namespace), but never one that takes a later process for it.
bool liveness_of_process(const struct profile_process *process);

// Whether a recording that has not ended goes on: it is written to, or it is a copy of one whose
// process runs. *is_copy_out: surely the latter, so that what it says is of some time ago.
bool liveness_of_recording(const char *path, const struct profile_process *process,
                           bool *is_copy_out);

// How long the process of a recording has lived until now, in milliseconds, by this machine's
// clock. False for one that began elsewhere.
bool liveness_age(const struct profile_process *process, uint64_t *age_ms_out);
