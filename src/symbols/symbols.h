// Symbols: what code is called. Modules and offsets in, functions, files and lines out, inlined
// ones too, from DWARF or symbol tables, through elfutils and libiberty.
//
// An offset is a return address in the file's own terms (address - load bias), as a recording has
// it: looked up is the byte before it. Names come only from a file that is the recorded one: the
// build-id decides where there is one.
//
// Everything that reads files runs in a process of its own that lives for one symbols_resolve():
// ELF files are not to be trusted and elfutils is not made for bad ones, so that a crash, an
// endless loop or a file cut short under our eyes costs names and nothing else. Files are open only
// there.
//
// Nothing goes to the network unless DEBUGINFOD_URLS is set and the options allow it.
// Not thread-safe: one thread, or a lock its owner holds. For our own process, never the observed.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symbols;

struct symbols_options {
    const char *root;                 // in front of all paths (a sysroot); NULL: none
    const char *const *debug_folders; // looked into before /usr/lib/debug
    size_t debug_folder_count;        //
    bool no_debuginfod;               // never ask a server
    unsigned debuginfod_seconds_max;  // for all questions to servers together; 0: 60
    unsigned module_seconds_max;      // for one module, without servers; 0: 60
    bool in_process;                  // read files in this process: for tests and fuzzers
};

// A module as a recording names it. The strings are copied.
struct symbols_module {
    const char *path;
    const uint8_t *build_id;
    size_t build_id_size; // 0 when it is not known: then any file at `path` is taken
};

// What the file at the module's path is.
enum symbols_file {
    SYMBOLS_FILE_UNSEEN,     // nothing of this module was resolved yet
    SYMBOLS_FILE_FOUND,      // the recorded one
    SYMBOLS_FILE_UNVERIFIED, // may be another: no build-id was recorded
    SYMBOLS_FILE_MISSING,    // `error` says why
    SYMBOLS_FILE_DIFFERS,    // another one than was recorded: rebuilt, or updated
    SYMBOLS_FILE_BAD,        // no ELF file for 64 bits, or a damaged one
    SYMBOLS_FILE_NONE,       // the module never had one ([vdso])
};

// The best that names come from.
enum symbols_source {
    SYMBOLS_NOTHING,
    SYMBOLS_EXPORTED, // .dynsym: what other modules may call
    SYMBOLS_TABLE,    // .symtab or .gnu_debugdata: all functions, without lines
    SYMBOLS_DWARF,
};

// How resolving ended.
enum symbols_end {
    SYMBOLS_COMPLETE,
    SYMBOLS_CRASHED, // while reading DWARF; what was left has names of symbol tables
    SYMBOLS_LATE,    // the same, for module_seconds_max
    SYMBOLS_FAILED,  // not even symbol tables could be read
};

// Strings are borrowed until destroy.
struct symbols_knowledge {
    enum symbols_file file;
    enum symbols_source source;
    enum symbols_end end;
    int error;              // with SYMBOLS_FILE_MISSING: what open() said
    const char *main_path;  // the file that was read in place of the module's; empty when none
    const char *debug_path; // the separate debug file; empty when none
};

// One function at a frame; the strings are interned, never NULL, and borrowed until destroy.
struct symbols_line {
    const char *function; // demangled; empty when not known
    const char *linkage;  // its mangled name; empty when it has none, or that is not known
    const char *file;     // empty when not known
    unsigned line;        // 0 when not known
    bool is_inlined;      // into the line after this one
};

// The lines of a frame, innermost function first. Borrowed until destroy.
struct symbols_name {
    const struct symbols_line *lines;
    size_t count; // 0: it has no name
};

// NULL with ENOMEM. The options are copied.
struct symbols *symbols_create(const struct symbols_options *options);
void symbols_destroy(struct symbols *self);

// 0 or -ENOMEM.
int symbols_add_module(struct symbols *self, const struct symbols_module *module,
                       size_t *index_out);

// The names of `count` offsets of one module, in any order. Opens the module's files for this one
// call, so ask for all of a module's frames at once. A module without names is no error.
// 0, -ENOMEM, or what fork() and pipe() said.
int symbols_resolve(struct symbols *self, size_t module, const uint64_t *offsets, size_t count,
                    struct symbols_name *names_out);

// What is known of a module since the last symbols_resolve(), which may be of 0 offsets.
const struct symbols_knowledge *symbols_knowledge(const struct symbols *self, size_t module);
