// Suppressions: leaks that somebody knows of and does not want to be told. Read from files as
// people have them: LeakSanitizer's (`leak:PATTERN`, where the pattern may stand anywhere in a
// function, a file or a module of the stack; '*' is anything, '^' its beginning, '$' its end) and
// Valgrind's (blocks in braces, of which those for Memcheck:Leak count). A comment of ours, which
// both others skip, sets a limit to the next one: `#mete: max=10`, blocks. Belongs to one thread.
// Uses libc's heap: for mete's own process alone.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum suppression_origin {
    SUPPRESSION_OF_FILE,    // asked for: to be named when it is of no use
    SUPPRESSION_OF_PROGRAM, // __lsan_default_suppressions()
    SUPPRESSION_KNOWN,      // of mete's own list
};

enum {
    SUPPRESSION_FRAMES_MAX = 64, // of one in Valgrind's syntax, which itself takes 24
    SUPPRESSIONS_MAX = 10000,    // in all files together
};

// One frame, from the innermost: "fun:", "obj:", "src:", or "..." for any number of them.
struct suppression_frame {
    enum suppression_what {
        SUPPRESSION_ANY,
        SUPPRESSION_FUNCTION,
        SUPPRESSION_OBJECT,
        SUPPRESSION_SOURCE,
    } what;
    char *pattern;
    char *demangled; // what the pattern stands for where it is a mangled name; or NULL
};

struct suppression {
    enum suppression_origin origin;
    char *source;  // the file's name
    unsigned line; // in it
    char *name;    // as people know it: "leak:foo", or the name between the braces
    char *pattern; // LeakSanitizer's; NULL: Valgrind's
    struct suppression_frame *frames;
    size_t frame_count;
    unsigned kinds;      // bits by enum profile_leak_kind
    uint64_t max_blocks; // UINT64_MAX: any number
    uint64_t blocks;     // that it has hidden, or would have
    uint64_t bytes;
    bool is_exceeded;     // by the process at hand, whose blocks are told all the same
    uint64_t blocks_over; // the most that one process had, above max_blocks; else 0
};

struct suppressions {
    struct suppression *all;
    size_t count;
    size_t capacity;
};

// What is wrong with a text, and where. Lives as long as the program.
struct suppressions_problem {
    unsigned line;
    const char *what;
};

// Starts as {0}. Adds those of a text. 0, -ENOMEM, or -EINVAL and *problem_out: then some may have
// been added.
int suppressions_add(struct suppressions *self, enum suppression_origin origin, const char *source,
                     const char *text, size_t size, struct suppressions_problem *problem_out);

// mete's own: one-time allocations of libraries that many programs use.
int suppressions_add_known(struct suppressions *self);

void suppressions_deinit(struct suppressions *self);

// --- for the profile room

struct profile;

// Whether it is meant by one: of a stack that ends at `node`.
bool suppression_matches(const struct suppression *self, const struct profile *profile,
                         uint32_t site, unsigned kind);
