// Recordings: what the processes of one run have left in its live folder, sorted by pid and image,
// with the main program's picked out. Belongs to the command line.
#pragma once

#include "cli/embedded.h"
#include "cli/live_folder.h"
#include "cli/recording_facts.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct recording {
    char *path; // where it is now
    pid_t pid;
    unsigned image;  // 1, and one more after each exec that kept the pid
    bool is_alive;   // its process still runs and goes on recording
    bool is_main;    // of the program that the run is about
    bool is_dropped; // was removed
    bool is_in_memory;
    struct embedded *made; // what the main program's holds, once it is kept; or NULL
    struct recording_facts facts;
};

struct recordings {
    struct recording *items;
    size_t count;
};

// Reads the pid and the image out of a name such as 77.1.mete.
bool recording_parse_name(const char *name, pid_t *pid_out, unsigned *image_out);

// Finds the recordings in folders, those that are open, and removes what is left of files that
// never became one. `main_pid` has ended. 0 or -errno; to be released either way.
int recordings_find(struct recordings *self, const struct live_folder *folders, size_t count,
                    pid_t main_pid);

// Puts them in the order of pids and images.
void recordings_sort(struct recordings *self);

// Which of them is that of the process that the command became: its last image's. `count` if there
// is none.
size_t recordings_own(const struct recordings *self, pid_t main_pid);

// Which of them is the main program's, by what is known of each: the command's own; or where that
// is but a shell or the like, or did next to nothing beside what it started, the one whose peak was
// the largest without what it inherited when it was forked. `count` if there is none.
size_t recordings_main(const struct recordings *self, pid_t main_pid);

// Whether one is its process's last, and that went on as a program that left none.
bool recordings_end_in_exec(const struct recordings *self, size_t index);

void recordings_deinit(struct recordings *self);
