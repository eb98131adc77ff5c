// Settings: what METE=key=value,… may say to a preload object, and `mete env` on its command line.
// One table lists every key; the preload objects, the command line and the manual all read it.
// The functions touch no errno, no locale, no stdio and no heap, so that they may run before
// anything else in a process does. Anyone may call them.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct settings {
    size_t direct_size;    // from which block size a block gets a mapping of its own
    size_t dirty_keep;     // free resident bytes kept before any are returned
    size_t purge_delay_ms; // how long free memory rests before the helper returns it
    size_t perturb;        // M_PERTURB: 0, or the byte that freed and fresh blocks are filled with
    bool keep_exact;       // whether no more is kept: else also what was in use a moment ago
    bool helper;           // whether a short-lived helper thread may return memory
    bool stats;            // whether malloc_stats' figures go to fd 2 at exit
};

enum setting_kind {
    SETTING_BOOL,         // yes, no (also on, off, true, false, 1, 0)
    SETTING_SIZE,         // bytes, or with K, M, G: powers of 1024
    SETTING_MILLISECONDS, // a plain number
    SETTING_NUMBER,       // a plain number
};

struct setting {
    const char *key;
    enum setting_kind kind;
    size_t offset; // of the value within struct settings: a bool, or else a size_t
    size_t value_default;
    size_t min; // min <= value_default <= max
    size_t max;
    const char *help; // one line, for people
};

enum {
    SETTINGS_COUNT = 7,
    SETTINGS_PROBLEM_SIZE = 160, // a buffer of this size holds any line of settings_problem_text
};
extern const struct setting settings_table[SETTINGS_COUNT];

// A part of the text that was not understood, and was ignored.
struct settings_problem {
    const char *text; // the part as it was written, not terminated; borrowed from the caller
    size_t len;
    const char *reason;        // "is no setting", "wants yes or no", …
    const struct setting *row; // NULL when the key itself is unknown
};
typedef void (*settings_report)(void *context, const struct settings_problem *problem);

// The row of a key, or NULL. It lives forever.
const struct setting *settings_find(const char *key, size_t len);

// Every setting at its default.
void settings_init(struct settings *self);

// Sets one value. False when the text is no value of this row; then *reason_out says why, and
// nothing has changed.
bool settings_set(struct settings *self, const struct setting *row, const char *value, size_t len,
                  const char **reason_out);

// Reads key=value,key=value over what *self holds; the last of two equal keys wins, empty parts are
// skipped. What cannot be read goes to `report` (with `context`; may be NULL) and changes nothing.
void settings_parse(struct settings *self, const char *text, settings_report report, void *context);

// The value a row has in *self: bytes, milliseconds, a number, or 0 and 1.
size_t settings_value(const struct settings *self, const struct setting *row);

// Writes one line about a problem (with its newline and a terminating 0) and returns its length.
// The user's text is cut short and stripped of control characters.
size_t settings_problem_text(const struct settings_problem *problem,
                             char line[static SETTINGS_PROBLEM_SIZE]);
