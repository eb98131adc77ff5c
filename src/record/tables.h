// Tables: the one description of a recording. A recording is a file of tables: arrays of rows of
// fixed size, each described in the file by its name, row size and columns, so that a reader takes
// what it knows by name and skips the rest. docs/recording-format.md says the same for people.
//
// Each RECORD_…_COLUMNS lists a table's columns as X(type, name), or A(type, name, count) where
// there are several; the structs and the descriptions in the file are both made of it. Numbers are
// little-endian. Times are milliseconds since the recording began; sizes are requested bytes unless
// a name says otherwise.
//
// While the program runs, a table's count is published by a release store after its rows are
// written, and rows that count never move. `rows` and `threads` are written by the thread that owns
// the row, with plain stores; all else once, or under the recorder's lock, or atomically.
#pragma once

#include <stdint.h>

enum {
    RECORD_VERSION = 1,
    RECORD_HEADER_SIZE = 16384, // the header, the table directory, the columns
    RECORD_TABLES_MAX = 32,
    RECORD_COLUMNS_MAX = 256,
    RECORD_SNAPSHOTS = 64,     // of a row's live bytes over time
    RECORD_SIZE_BUCKETS = 16,  // bucket i holds sizes up to 16 << i, the last all above
    RECORD_TIMELINE_MAX = 512, // points of the process's timeline
    RECORD_STACK_MAX = 256,    // frames of one call stack
    RECORD_SITES_MAX = 1 << 17,
    RECORD_NODES_MAX = 1 << 19,
    RECORD_BUILD_ID_MAX = 32, // bytes; GNU build-ids have 20
    RECORD_SITE_THREADS_MAX = 64,
};

#define RECORD_MAGIC "mete\r\n\032\n" // 8 bytes: a transfer that mends line ends breaks it
#define RECORD_NONE UINT32_MAX        // no such row

// The types of columns, and how each is written in C. TEXT is a piece of the table `bytes`.
enum record_type { RECORD_U8, RECORD_U32, RECORD_U64, RECORD_I64, RECORD_F32, RECORD_TEXT };
#define RECORD_C_U8 uint8_t
#define RECORD_C_U32 uint32_t
#define RECORD_C_U64 uint64_t
#define RECORD_C_I64 int64_t
#define RECORD_C_F32 float
#define RECORD_C_TEXT struct record_text

struct record_text {
    uint32_t offset;
    uint32_t size; // without a terminating zero
};

// --- the tables
// -----------------------------------------------------------------------------------

// One row: the process image. `clock_*` are those of CLOCK_REALTIME and CLOCK_MONOTONIC at time 0.
// `command` is the argument vector, each argument followed by a zero; empty when it was left out.
// Peak: of live bytes of the whole process. `peak_count` rises with every new peak; see `rows`.
// While it runs, what is live is what `threads` say: here it is written down from time to time; and
// a peak when it is over: while more is live than `peak_bytes`, that is the peak.
#define RECORD_PROCESS_COLUMNS(X, A)                                                               \
    X(U64, clock_real_ns)                                                                          \
    X(U64, clock_monotonic_ms)                                                                     \
    X(U32, pid)                                                                                    \
    X(U32, parent_pid)                                                                             \
    X(U32, image)             /* 1, and one more after each exec that kept the pid */              \
    X(U32, inherits_from_pid) /* the forked parent whose live blocks it began with, or 0 */        \
    X(U64, run)     /* the same in all recordings of one `mete run`; 0: none has finished it */    \
    X(U32, run_pid) /* that of the command it ran; 0: not known any more */                        \
    X(U32, is_over) /* nobody wrote it any more when mete finished it, whatever `state` says */    \
    X(U32, thread_count) /* how many have counted; `threads` may have fewer rows */                \
    X(U32, execs)        /* of children that had no recording before */                            \
    X(TEXT, program)                                                                               \
    X(TEXT, name) /* the last part of its path, as it was started; empty: `program`'s */           \
    X(TEXT, command)                                                                               \
    X(TEXT, directory)                                                                             \
    X(TEXT, host)                                                                                  \
    X(TEXT, version) /* of mete */                                                                 \
    X(U32, state)    /* enum record_state */                                                       \
    X(U32, status)   /* what waitpid() said, once RECORD_WAITED */                                 \
    X(U64, duration_ms)                                                                            \
    X(U64, live_bytes)                                                                             \
    X(U64, live_blocks)                                                                            \
    X(U64, peak_bytes)                                                                             \
    X(U64, peak_blocks)                                                                            \
    X(U64, peak_ms)                                                                                \
    X(U32, peak_count)                                                                             \
    X(U32, is_peak_exact) /* one thread only allocated */                                          \
    X(U32, snapshot_interval_ms)                                                                   \
    X(U32, timeline_interval_ms)                                                                   \
    X(U32, leak_state)   /* enum record_leak_state */                                              \
    X(TEXT, leak_reason) /* why it is RECORD_LEAKS_REFUSED */                                      \
    X(U64, leak_ms)      /* how long the process stood still for it */                             \
    X(U32, leak_threads) /* that were held still */                                                \
    X(U64, leak_faults)  /* page faults for it that the kernel counts as a child's */              \
    X(U64, lost_blocks)  /* the sums of the two lost kinds in `leaks` */                           \
    X(U64, lost_bytes)                                                                             \
    X(TEXT, suppressions) /* __lsan_default_suppressions() of the program */

enum record_state {
    RECORD_RUNNING = 0, // also: was killed
    RECORD_ENDED = 1,   // by exit, _exit, return from main
    RECORD_EXECED = 2,  // replaced by another image
    RECORD_WAITED = 3,  // `status` is known
};

// A file mapped to run code from. Rows are never reused; `unloaded_ms` is 0 while it is loaded.
#define RECORD_MODULES_COLUMNS(X, A)                                                               \
    X(TEXT, path)                                                                                  \
    X(U64, base) /* the load bias: address - base is the address in the file's own terms */        \
    X(U64, start)                                                                                  \
    X(U64, size) /* start .. start + size is where it was mapped */                                \
    X(U64, loaded_ms)                                                                              \
    X(U64, unloaded_ms)                                                                            \
    X(U32, build_id_size)                                                                          \
    A(U8, build_id, RECORD_BUILD_ID_MAX)

// A return address: `offset` from the base of its module, or an address where there is none
// (RECORD_NONE). A name is that of the call, which ends one byte before.
#define RECORD_FRAMES_COLUMNS(X, A)                                                                \
    X(U64, offset)                                                                                 \
    X(U32, module)

// Call stacks as a tree: a node is a frame called from its parent's. The outermost frame's parent
// is RECORD_NONE. A parent stands before its children.
#define RECORD_NODES_COLUMNS(X, A)                                                                 \
    X(U32, parent)                                                                                 \
    X(U32, frame)

// A call site: a distinct stack. Site 0 is what was allocated before the observation began, some
// others have no stack either: `kind` says which. When the rows of several threads were merged into
// one, the first RECORD_SITE_THREADS_MAX of them are in `site_threads`, from `first_thread` on.
#define RECORD_SITES_COLUMNS(X, A)                                                                 \
    X(U32, node)         /* the innermost frame's, or RECORD_NONE */                               \
    X(U32, kind)         /* enum record_site_kind */                                               \
    X(U32, end)          /* enum record_stack_end */                                               \
    X(U32, depth)        /* frames */                                                              \
    X(U32, thread_count) /* whose rows were merged; 0: none were, the rows tell */                 \
    X(U32, first_thread)                                                                           \
    X(TEXT, name) /* under which the program tracks what is not the heap's; else empty */

// The threads of sites whose rows were merged, in the order in which they came.
#define RECORD_SITE_THREADS_COLUMNS(X, A) X(U32, thread) /* an index into `threads` */

enum record_site_kind {
    RECORD_SITE_STACK = 0,
    RECORD_SITE_BEFORE = 1, // allocated before observation began
    RECORD_SITE_SIGNAL = 2, // in a signal handler that interrupted a capture
    RECORD_SITE_OTHERS = 3, // past the limit of sites
    RECORD_SITE_ITSELF = 4, // by libc on behalf of mete
    RECORD_SITE_THREAD = 5, // by a thread that has ended, or past the limit of threads
};

// Why a stack has no more frames.
enum record_stack_end {
    RECORD_END_COMPLETE = 0,    // its outermost frame is there
    RECORD_END_NO_RULE = 1,     // code without unwind information (JIT, hand-written assembly)
    RECORD_END_SIGNAL = 2,      // the frame of a signal handler
    RECORD_END_DEPTH = 3,       // RECORD_STACK_MAX
    RECORD_END_BOUNDS = 4,      // the next frame would lie outside the stack
    RECORD_END_UNSUPPORTED = 5, // its rule needs what is not followed
};

// What one thread did at one site; a site's figures are the sums over its rows. A row belongs to
// one thread at a time; when that ends, the next thread that comes to the site goes on in it. In a
// finished recording a site has one row: that of its only thread, or the sum of all.
// Live blocks are allocations - frees (a row's own may be negative: freed by another thread than
// the one that allocated), and so are bytes and waste. A realloc counts as both.
// At the peak: if `peak_count` equals the process's, live at the peak are `at_peak_*`; if it is
// less, nothing has happened here since, and what is live now was live then.
// `live_over_time`: live bytes at the end of each interval i < snapshots of the process's
// snapshot_interval_ms << interval_shift; what lies past the last is live now.
// The order is that of use: a free touches the first cache line, an allocation the first two.
#define RECORD_ROWS_COLUMNS(X, A)                                                                  \
    X(U32, site)                                                                                   \
    X(U32, thread) /* the last that owned it, an index into `threads`; RECORD_NONE: several */     \
    X(U32, peak_count)                                                                             \
    X(U8, snapshots)                                                                               \
    X(U8, interval_shift)                                                                          \
    X(U64, allocations)                                                                            \
    X(U64, bytes_allocated)                                                                        \
    X(U64, wasted_allocated) /* block sizes minus requested sizes */                               \
    X(U64, frees)                                                                                  \
    X(U64, bytes_freed)                                                                            \
    X(U64, wasted_freed)                                                                           \
    X(U64, last_ms)    /* of the last allocation */                                                \
    X(I64, peak_bytes) /* the most that was live of this row: a lower bound over several rows */   \
    X(U64, size_min)                                                                               \
    X(U64, size_max)                                                                               \
    X(U64, temporary)                                                                              \
    A(U64, sizes, RECORD_SIZE_BUCKETS)                                                             \
    X(U64, reallocations) /* successful ones that ended at this stack */                           \
    X(I64, step_min)      /* new size - old size; 0 and 0 without any */                           \
    X(I64, step_max)                                                                               \
    X(U64, first_ms)                                                                               \
    X(I64, at_peak_bytes)                                                                          \
    X(I64, at_peak_blocks)                                                                         \
    X(I64, at_peak_wasted)                                                                         \
    X(U64, inherited) /* of `allocations`, those that the forked parent had made */                \
    X(U64, inherited_bytes)                                                                        \
    A(F32, live_over_time, RECORD_SNAPSHOTS)

// A thread that allocated or freed; the first row stands for what no thread of its own could count
// (in signal handlers, after a thread's end). Rows are reused after a thread's end only when there
// are no others left, and then go on counting. The sums over threads are the process's totals.
#define RECORD_THREADS_COLUMNS(X, A)                                                               \
    X(U32, tid)                                                                                    \
    X(U32, is_alive)                                                                               \
    A(U8, name, 16)                                                                                \
    X(U64, first_ms)                                                                               \
    X(U64, last_ms)                                                                                \
    X(U64, allocations)                                                                            \
    X(U64, bytes_allocated)                                                                        \
    X(U64, wasted_allocated)                                                                       \
    X(U64, frees)                                                                                  \
    X(U64, bytes_freed)                                                                            \
    X(U64, wasted_freed)                                                                           \
    X(U64, temporary)                                                                              \
    X(U64, reallocations)                                                                          \
    X(U64, frees_unseen) /* of blocks from before the observation; not in `frees` */

// Live bytes and allocations so far of the process at the end of interval i of
// timeline_interval_ms. When it is full, every other point goes and the interval doubles.
#define RECORD_TIMELINE_COLUMNS(X, A)                                                              \
    X(U64, live_bytes)                                                                             \
    X(U64, allocations)

// What could not be counted: events by reason.
#define RECORD_LOST_ROOM "no room in the recording" // of these, one that can be mended
#define RECORD_LOST_COLUMNS(X, A)                                                                  \
    X(TEXT, reason)                                                                                \
    X(U64, events)

// Calls of mmap, munmap, mremap and brk (with sbrk) through libc's names.
#define RECORD_MAPPINGS_COLUMNS(X, A)                                                              \
    X(TEXT, call)                                                                                  \
    X(U64, calls)                                                                                  \
    X(U64, bytes)

// Text and other bytes without structure.
#define RECORD_BYTES_COLUMNS(X, A) X(U8, byte)

// What a frame is called, written after the program has ended: `lines` from `first` on, innermost
// (inlined) function first. One row per row of `frames`; none when names were left out.
#define RECORD_NAMES_COLUMNS(X, A)                                                                 \
    X(U32, first)                                                                                  \
    X(U32, count) /* 0: the module has no name for it */

#define RECORD_LINES_COLUMNS(X, A)                                                                 \
    X(TEXT, function) /* demangled; empty when unknown */                                          \
    X(TEXT, linkage)  /* its mangled name; empty without one */                                    \
    X(TEXT, file)     /* empty when unknown */                                                     \
    X(U32, line)      /* 0 when unknown */                                                         \
    X(U32, is_inlined)

// What a leak scan found: live blocks by site and by what leads to them.
#define RECORD_LEAKS_COLUMNS(X, A)                                                                 \
    X(U32, site)                                                                                   \
    X(U32, kind) /* enum record_leak_kind */                                                       \
    X(U64, blocks)                                                                                 \
    X(U64, bytes)                                                                                  \
    X(U32, leader) /* of indirect ones: the site of a direct one that leads there; 0: not known */

enum record_leak_state {
    RECORD_LEAKS_UNASKED = 0,
    RECORD_LEAKS_AWAITED = 1, // the scan was to come at the end; also: there was none such
    RECORD_LEAKS_SCANNED = 2, // `leaks` is what it found
    RECORD_LEAKS_REFUSED = 3, // `leak_reason` says why
    RECORD_LEAKS_BUSY = 4,    // a thread was within the recorder, and did not leave it
};

enum record_leak_kind {
    RECORD_LOST_DIRECT = 0,   // nothing leads to it, or in a circle
    RECORD_LOST_INDIRECT = 1, // lost blocks alone lead to it
    RECORD_INTERIOR = 2,      // in use, but nothing leads to its start
    RECORD_REACHABLE = 3,     // in use
    RECORD_INHERITED = 4,     // by a forked child: its parent's affair
    RECORD_IGNORED = 5,       // the program said that it is not to be told
    RECORD_LEAK_KINDS,
};

// Every table: X(name, struct, columns).
#define RECORD_TABLES(X)                                                                           \
    X(process, record_process, RECORD_PROCESS_COLUMNS)                                             \
    X(modules, record_module, RECORD_MODULES_COLUMNS)                                              \
    X(frames, record_frame, RECORD_FRAMES_COLUMNS)                                                 \
    X(nodes, record_node, RECORD_NODES_COLUMNS)                                                    \
    X(sites, record_site, RECORD_SITES_COLUMNS)                                                    \
    X(site_threads, record_site_thread, RECORD_SITE_THREADS_COLUMNS)                               \
    X(rows, record_row, RECORD_ROWS_COLUMNS)                                                       \
    X(threads, record_thread, RECORD_THREADS_COLUMNS)                                              \
    X(timeline, record_point, RECORD_TIMELINE_COLUMNS)                                             \
    X(lost, record_lost, RECORD_LOST_COLUMNS)                                                      \
    X(mappings, record_mapping, RECORD_MAPPINGS_COLUMNS)                                           \
    X(leaks, record_leak, RECORD_LEAKS_COLUMNS)                                                    \
    X(bytes, record_byte, RECORD_BYTES_COLUMNS)                                                    \
    X(names, record_name, RECORD_NAMES_COLUMNS)                                                    \
    X(lines, record_line, RECORD_LINES_COLUMNS)

// struct record_process and so on.
#define RECORD_FIELD(type, name) RECORD_C_##type name;
#define RECORD_FIELDS(type, name, count) RECORD_C_##type name[count];
#define RECORD_STRUCT(table, row, columns)                                                         \
    struct row {                                                                                   \
        columns(RECORD_FIELD, RECORD_FIELDS)                                                       \
    };
RECORD_TABLES(RECORD_STRUCT)

#define RECORD_INDEX(table, row, columns) RECORD_TABLE_##table,
enum record_table { RECORD_TABLES(RECORD_INDEX) RECORD_TABLE_COUNT };

// --- the file
// -------------------------------------------------------------------------------------

// Where a table is. `first_column` is its first in the header's columns.
struct record_table_entry {
    char name[16]; // padded with zeroes
    uint32_t row_size;
    uint32_t first_column;
    uint32_t column_count;
    uint32_t reserved;
    uint64_t offset;   // in the file, a multiple of 8
    uint64_t capacity; // rows that there is room for in the file
    uint64_t count;    // rows that are there
};

struct record_column_entry {
    char name[24];   // padded with zeroes
    uint32_t type;   // enum record_type
    uint16_t offset; // in the row
    uint16_t count;
};

// The file's first RECORD_HEADER_SIZE bytes.
struct record_header {
    char magic[8];
    uint32_t version;
    uint32_t header_size;
    uint32_t table_count;
    uint32_t column_count;
    uint64_t reserved[4];
    struct record_table_entry tables[RECORD_TABLES_MAX];
    struct record_column_entry columns[RECORD_COLUMNS_MAX];
};
