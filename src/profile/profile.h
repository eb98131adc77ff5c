// Profile: a recording becomes answers: sites with the sums of their rows, functions that own them,
// totals, the timeline. Made once, then read only; strings are terminated and live as long as it.
// The recording is borrowed and must live as long, too. Counts and indices of each array match:
// whatever one points to is there. Uses libc's heap: for mete's own process alone.
#pragma once

#include "profile/figures.h"
#include "profile/suppressions.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROFILE_NONE UINT32_MAX

enum {
    PROFILE_POINTS_MAX = 64, // of a site's live bytes over time
    PROFILE_SITE_THREADS = 64,
    PROFILE_SIZES = 16,       // buckets: bucket i holds sizes up to 16 << i, the last all above
    PROFILE_INLINES_MAX = 64, // lines of one frame that are looked at
    PROFILE_STACK_MAX = 256,  // frames of one stack that are looked at
};

struct profile_options {
    const char *const *skips; // further wrappers: patterns for functions or modules
    size_t skip_count;
    struct suppressions *suppressions; // NULL, or leaks that are known: it notes what it has hidden
    const char *filter; // NULL, or only sites with a function, file or module like this
};

enum profile_state {
    PROFILE_RUNNING, // still running, or killed without anyone having noticed
    PROFILE_ENDED,
    PROFILE_EXECED,
    PROFILE_WAITED, // `status` is what waitpid() said
};

struct profile_process {
    const char *program;
    const char *name; // the last part of its path, as it was started
    const char *directory;
    const char *host;
    const char *version;
    const char **command; // the arguments, NULL at the end; none when they were left out
    size_t command_count;
    uint32_t pid;
    uint32_t parent_pid;
    uint32_t image;
    uint32_t inherits_from_pid;
    uint32_t thread_count; // that have allocated or freed
    enum profile_state state;
    bool is_over; // nobody wrote the recording any more
    int status;
    uint64_t begin_ms;           // since 1970
    uint64_t begin_monotonic_ms; // the same moment by CLOCK_MONOTONIC
    uint64_t duration_ms;        // so far, where it is still running
    uint64_t peak_bytes;
    uint64_t peak_blocks;
    uint64_t peak_ms;
    bool is_peak_exact;
};

struct profile_module {
    const char *path;
    const char *name;     // the last part of the path
    const char *build_id; // hexadecimal; empty when there is none
    uint64_t base;
    uint64_t start;
    uint64_t size;
    uint64_t loaded_ms;
    uint64_t unloaded_ms;   // 0: never
    size_t frames;          // that lie in it
    size_t frames_nameless; // that have no name
    uint32_t same_as;       // the first module of this file: itself, unless it was loaded again
    size_t file_frames_nameless; // of all of the same file; of the first alone
    bool is_wrapper;             // nothing but wrappers
    bool is_base;                // one that every program begins in
};

struct profile_thread {
    const char *name;
    uint32_t tid;
    bool is_alive;
    uint64_t first_ms;
    uint64_t last_ms;
    uint64_t frees_unseen;
    struct figures figures;
};

struct profile_point {
    uint64_t time_ms;
    uint64_t live_bytes;
    uint64_t allocations; // so far
};

// Something that happened so many times, and over how many bytes.
struct profile_tally {
    const char *name;
    uint64_t count;
    uint64_t bytes;
};

// What rows are made of: a name in a file, or in a module where the file is not known.
struct profile_function {
    const char *name; // folded
    const char *file; // "" when unknown
    uint32_t module;  // of a frame in it; PROFILE_NONE without one
    bool is_wrapper;
    bool is_nameless; // module+offset
    bool is_tracked;  // none, but a name that the program tracks memory under, in brackets
};

// A place in a function.
struct profile_line {
    const char *full;    // the function as the demangler calls it
    const char *linkage; // as the linker does, where that is a mangled name; else ""
    const char *file;
    uint32_t line; // 0 when unknown
    uint32_t function;
    bool is_inlined;
};

// lines[first_line .. first_line + line_count), innermost first: never none.
struct profile_frame {
    uint64_t offset;
    uint32_t module;
    uint32_t first_line;
    uint32_t line_count;
};

enum profile_kind { // as in the recording
    PROFILE_STACK,
    PROFILE_BEFORE,
    PROFILE_SIGNAL,
    PROFILE_OTHERS,
    PROFILE_ITSELF,
    PROFILE_THREAD,
};

// What a look for leaks at the process's end found.
enum profile_leak_kind { // as in the recording
    PROFILE_LOST_DIRECT,
    PROFILE_LOST_INDIRECT,
    PROFILE_INTERIOR,
    PROFILE_REACHABLE,
    PROFILE_INHERITED,
    PROFILE_IGNORED,
    PROFILE_SUPPRESSED, // by profile_options.suppressions, or the program's own
    PROFILE_LEAK_KINDS,
};

enum profile_leaks_state {
    PROFILE_LEAKS_UNASKED,
    PROFILE_LEAKS_AWAITED, // there was no end at which it could be done, or not yet
    PROFILE_LEAKS_SCANNED,
    PROFILE_LEAKS_REFUSED, // `reason`
    PROFILE_LEAKS_BUSY,    // it could not be written down
};

struct profile_leak {
    uint64_t blocks;
    uint64_t bytes;
    uint32_t site;
    enum profile_leak_kind kind;
    uint32_t leader; // of an indirect one: the site of a direct one that leads to it; 0: not known.
                     // Once they are summed up, of some of them
};

struct profile_leaks {
    enum profile_leaks_state state;
    const char *reason;
    uint64_t duration_ms;     // for so long the process stood still
    uint32_t thread_count;    // that were held still
    struct profile_leak *all; // by kind, then by falling bytes: one of a site and lost kind
    size_t count;
    struct profile_leak sums[PROFILE_LEAK_KINDS];
    uint64_t suppressed_lost; // blocks; the others that are suppressed are in use
    struct suppressions own;  // the program's
};

struct profile_site {
    struct figures figures;
    int64_t peak_bytes; // a lower bound unless is_peak_exact
    bool is_peak_exact;
    bool is_hidden; // by the filter
    uint32_t node;  // the innermost frame's; PROFILE_NONE without a stack
    uint32_t kind;  // enum profile_kind, or one of a newer mete
    uint32_t end;   // why the stack has no more frames: profile_end_text()
    uint32_t row;
    const char *name;    // under which the program tracks what is not the heap's; "" without
    uint32_t owner;      // index of the line that names the row, from the innermost
    uint32_t owner_line; // that line; PROFILE_NONE without a stack
    uint32_t thread_count;
    uint64_t size_min;
    uint64_t size_max;
    int64_t step_min;
    int64_t step_max;
    uint64_t first_ms;
    uint64_t last_ms;
};

// The callers of a row's function, of all sites that came this way.
struct profile_path {
    struct figures figures;
    // Of the frame that the owner stands in, and which of its lines, from the innermost; of what is
    // tracked all are callers. PROFILE_NONE without a stack.
    uint32_t node;
    uint32_t line;
    uint32_t row;
    uint32_t site_count;
};

struct profile_row {
    struct figures figures;
    uint32_t function;
    uint32_t line; // the line of the heaviest site; PROFILE_NONE without
    uint32_t first_path;
    uint32_t path_count;
    uint32_t site_count;
};

struct recording;
struct profile_places; // how sites find their rows and nodes

struct profile {
    struct profile_process process;
    struct figures totals; // of the whole process, whatever the filter hides
    uint64_t sizes[PROFILE_SIZES];
    uint64_t interval_ms; // of live bytes over time, of all sites
    size_t point_count;   // intervals that have ended
    size_t sites_hidden;
    uint64_t missing; // bytes that were cut off from the recording
    uint64_t file_size;
    uint64_t file_space; // without holes
    uint64_t unbelieved; // rows that contradicted others
    bool has_names;      // someone looked them up
    uint64_t unstacked;  // allocations that found no room for their stack
    bool wants_room;     // something found none that there might be

    struct profile_module *modules;
    struct profile_thread *threads;
    struct profile_point *timeline; // at the end of each interval, and at that of the recording
    struct profile_tally *lost;     // by reason, the most first
    struct profile_tally *mappings; // by call
    struct profile_function *functions;
    struct profile_line *lines;
    struct profile_frame *frames;
    struct profile_site *sites;
    struct profile_row *rows;   // functions that own sites that are not hidden
    struct profile_path *paths; // by row
    size_t modules_count;
    size_t threads_count;
    size_t timeline_count;
    size_t lost_count;
    size_t mappings_count;
    size_t functions_count;
    size_t lines_count;
    size_t frames_count;
    size_t sites_count;
    size_t rows_count;
    size_t paths_count;

    struct profile_leaks leaks;

    const struct recording *recording;
    struct profile_places *places;
};

// NULL for want of memory.
struct profile *profile_create(const struct recording *recording,
                               const struct profile_options *options);
void profile_destroy(struct profile *self);

// Its process lives, and has rested until now: so long has it lived.
void profile_go_on(struct profile *self, uint64_t duration_ms);

// A walk over the lines of a stack, from the innermost outward.
struct profile_walk {
    const struct profile *profile;
    uint32_t node;
    uint32_t next; // line of its frame
    uint32_t depth;
    uint32_t frame; // of the line that profile_walk_next() gave last
};

struct profile_walk profile_walk_from(const struct profile *self, uint32_t node);
// The next line's index, or PROFILE_NONE at the end.
uint32_t profile_walk_next(struct profile_walk *walk);
// From the path's first caller outward.
struct profile_walk profile_walk_callers(const struct profile *self,
                                         const struct profile_path *path);

// Live bytes at the end of each of point_count intervals.
void profile_over_time(const struct profile *self, const struct profile_site *site,
                       int64_t points_out[static PROFILE_POINTS_MAX]);

// Its histogram of sizes.
void profile_site_sizes(const struct profile *self, const struct profile_site *site,
                        uint64_t sizes_out[static PROFILE_SIZES]);

// The first of its `thread_count` threads; how many there are. One that stands for several is
// PROFILE_NONE.
size_t profile_site_threads(const struct profile *self, const struct profile_site *site,
                            uint32_t threads_out[static PROFILE_SITE_THREADS]);

// What is at the module's path now.
enum profile_file {
    PROFILE_FILE_THERE,
    PROFILE_FILE_GONE,   // nothing, or not the one that ran, as far as build-ids tell
    PROFILE_FILE_CLOSED, // may not be read
};
enum profile_file profile_module_file(const struct profile *self, size_t module);

// Why a stack ends where it does, for people; NULL when it is whole.
const char *profile_end_text(uint32_t end);

// --- ranking

// Indices by falling value, those that are not above zero left out; equal ones in their order.
// Returns how many were written, `max` at most; none for want of memory.
size_t profile_rank_rows(const struct profile *self, enum figures_key key, uint32_t *order_out,
                         size_t max);
size_t profile_rank_paths(const struct profile *self, const struct profile_row *row,
                          enum figures_key key, uint32_t *order_out, size_t max);
size_t profile_rank_sites(const struct profile *self, enum figures_key key, uint32_t *order_out,
                          size_t max);
