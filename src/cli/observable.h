// Observable: whether mete can look at a program, told before it starts: which file will run
// (through PATH, '#!' and env), and what stands in the way. What may be asked of the system is no
// promise: the file may change before it runs. Belongs to the command line.
#pragma once

#include <stdbool.h>

enum obstacle_kind {
    OBSTACLE_NONE,
    OBSTACLE_PART, // some of what it does will not be seen
    OBSTACLE_ALL,  // nothing will be seen
};

struct obstacle {
    enum obstacle_kind kind;
    bool forbids_preload; // the program would not run, or complain, with our object preloaded
    char subject[512];    // which file
    char reason[256];     // "is linked statically: nothing can be preloaded into it"
    char mend[256];       // "link it without -static"
};

// What stands in the way of looking at what a command runs. A command that cannot be found has no
// obstacle: exec says what is wrong with it.
struct obstacle observable_look(char **command);

// The same for the preload object.
struct obstacle observable_object(const char *path);

// The same for the limits of this process, which `program` will have.
struct obstacle observable_limits(const char *program);

// Why a program with no obstacle has probably left no recording; `status` as wait() gave it.
const char *observable_absence(int status);
