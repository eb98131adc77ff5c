// Run child: starts a program as if mete were not there, and waits until it ends.
// The program gets the descriptors, the folder, the process group, the terminal, the mask and the
// dispositions of signals that mete got. What the terminal sends (Ctrl-C, Ctrl-\, Ctrl-Z, a
// hang-up) reaches it without us; what others send to us is handed on to it, but not what it sends
// itself. When it stops, we stop, and when we are continued, it is. Only its own status is waited
// for: mete is no subreaper, since programs may know that their orphans go to process 1, and the
// children that mete inherited from whoever became mete are not ours. A caller holds the signals,
// runs the child, does what must be done in any case, and releases them. One at a time. Belongs to
// the command line.
#pragma once

#include "cli/environment.h"
#include "record/process_end.h"

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

enum { SIGNALS_CHANGED = 3 };

// As it was, for the program.
struct signal_hold {
    sigset_t mask;
    struct sigaction actions[SIGNALS_CHANGED];
};

// From here until signals_release nothing that is handed on to the program ends mete; and from here
// on a write that fails is an error and no signal.
void signals_hold(struct signal_hold *self);

// As before. What the terminal sent meanwhile was the program's; what others sent counts now.
void signals_release(const struct signal_hold *self);

struct child_end {
    pid_t pid;
    int status;                         // as wait() gives it
    unsigned long long children_faults; // minor page faults of those that it waited for
    uint64_t wall_ns;
    uint64_t end_ns; // by CLOCK_MONOTONIC
};

// The same, as recordings take it.
struct process_end child_end_known(const struct child_end *self);

// What else is done while the program runs: a little, each time that there is something to read.
struct child_watch {
    int fd;                                  // -1: nothing
    void (*ready)(void *context, pid_t pid); // of the process that the command became
    void *context;
};

// Runs a command to its end while signals are held; with `environment`, if not NULL, in its
// environment. 0, or -errno: then nothing ran, and *is_exec_out says whether exec was what failed.
int child_run(char **command, const struct environment *environment, const struct signal_hold *hold,
              const struct child_watch *watch, struct child_end *end_out, bool *is_exec_out);
