// Finish: writes a recording anew, compact and whole: each table cut to its rows, one behind the
// other, with `names`, `lines` and their texts from whoever can name frames. What the reader does
// not know (tables of a newer mete) is left out. Uses libc's heap: for mete's own process alone.
#pragma once

#include "record/process_end.h"
#include "record/reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What one line of code is called. NULL or "" is unknown; borrowed until finish_names() is called
// again or returns.
struct finish_line {
    const char *function;
    const char *linkage; // mangled
    const char *file;
    uint32_t line; // 0: unknown
    bool is_inlined;
};

// The lines that a frame stands for, innermost (inlined) first; 0 when it has no name. At most
// `max` are written to `lines_out`.
typedef size_t (*finish_namer)(void *context, const struct recording *recording, size_t frame,
                               struct finish_line *lines_out, size_t max);

enum { FINISH_LINES_MAX = 64 }; // lines of one frame; deeper inlining has not been seen

// Gives every frame the lines that `namer` knows for it, in place of those it has. 0 or -ENOMEM,
// after which the recording is as it was. Equal texts are stored once; when texts exceed 4 GiB the
// rest stay unknown.
int finish_names(struct recording *self, finish_namer namer, void *context);

// Notes that nobody writes it any more, and of which run it is.
void finish_run(struct recording *self, uint64_t run, uint32_t command_pid);

// Sets that. A program that took another's place by exec has lived since then.
void finish_status(struct recording *self, const struct process_end *end);

// Writes the recording at the descriptor's place, which is the beginning of a file. 0 or -errno.
int finish_write(const struct recording *self, int fd);
