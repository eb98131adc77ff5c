// Unrecorded: processes that go on when their command has ended, and have not allocated yet, or are
// not even loaded: they will make a recording, where their environment says. Belongs to the command
// line.
#pragma once

#include "cli/live_folder.h"

#include <stddef.h>
#include <sys/types.h>

struct unrecorded {
    pid_t pid;
    char name[64]; // as the kernel has it
};

// Those that would record in that folder: as many as there are, of which the first `max` are in
// `all`. Pids up to `after` are not looked at, which saves time where many processes run. One whose
// environment is closed to us, or overwritten, is not found.
size_t unrecorded_find(const struct live_folder *folder, pid_t after, struct unrecorded *all,
                       size_t max);

// Waits for those that are being loaded just now, at most 0.2 s: their recordings come when that is
// done.
void unrecorded_settle(const struct live_folder *folder, pid_t after);

// The pid after which all are that were started since this process was, which has run for `ns`; 0
// where that cannot be said, since pids have begun anew.
pid_t unrecorded_after(unsigned long long ns);
