// Settings: what METE=key=value,… may say to a preload object, and `mete env` on its command line.
// One table lists every key; the preload objects, the command line and the manual all read it.
// A text's value may be any bytes but zero: commas, blanks, control characters and what is not
// ASCII stand in METE as %2C, two hexadecimal digits; a '%' without two digits behind it is just
// that. On a command line texts stand as they are. The functions touch no errno, no locale, no
// stdio and no heap, so that they may run before anything else in a process does. Anyone may call
// them.
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum {
    SETTINGS_TEXT_SIZE = 1024,                          // of a text with its terminating 0
    SETTINGS_ENCODED_SIZE = 3 * SETTINGS_TEXT_SIZE + 1, // of any text as it stands in METE
};

struct settings {
    size_t direct_size;    // from which block size a block gets a mapping of its own
    size_t dirty_keep;     // free resident bytes kept before any are returned
    size_t purge_delay_ms; // how long free memory rests before the helper returns it
    size_t perturb;        // M_PERTURB: 0, or the byte that freed and fresh blocks are filled with
    bool keep_exact;       // whether no more is kept: else also what was in use a moment ago
    bool helper;           // whether a short-lived helper thread may return memory
    bool stats;            // whether malloc_stats' figures go to fd 2 at exit
    bool observe;          // whether allocations are recorded
    bool leaks;            // whether the recorded process looks for leaks at its end
    bool arguments;        // whether the command line stands in the recording
    char recording[SETTINGS_TEXT_SIZE]; // pattern of the path of the recording: base/pattern.h
};

enum setting_kind {
    SETTING_BOOL,         // yes, no (also on, off, true, false, 1, 0)
    SETTING_SIZE,         // bytes, or with K, M, G: powers of 1024
    SETTING_MILLISECONDS, // a plain number
    SETTING_NUMBER,       // a plain number
    SETTING_TEXT,         // any bytes; its size counts as its value
};

struct setting {
    const char *key;
    enum setting_kind kind;
    size_t offset;        // of the value within struct settings: a bool, a text, or else a size_t
    size_t value_default; // of a text: 0, since every text is empty
    size_t min;           // min <= value_default <= max
    size_t max;
    const char *help; // one line, for people
};

enum {
    SETTINGS_COUNT = 11,
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

// Sets one value, which is written as in METE. False when the text is no value of this row; then
// *reason_out says why, and nothing has changed.
bool settings_set(struct settings *self, const struct setting *row, const char *value, size_t len,
                  const char **reason_out);

// Reads key=value,key=value over what *self holds; the last of two equal keys wins, empty parts are
// skipped. What cannot be read goes to `report` (with `context`; may be NULL) and changes nothing.
void settings_parse(struct settings *self, const char *text, settings_report report, void *context);

// The value a row has in *self: bytes, milliseconds, a number, or 0 and 1; of a text its length.
size_t settings_value(const struct settings *self, const struct setting *row);

// The text of such a row in *self, with a terminating 0; borrowed as long as *self is.
const char *settings_text(const struct settings *self, const struct setting *row);

// Reads a word for yes or no, as every setting of that kind does.
bool settings_read_bool(const char *text, size_t len, bool *value_out);

// Writes a text as it stands in METE: printable ASCII without blanks and commas. False when it is
// longer than any setting may be; then nothing is written.
bool settings_encode(const char *text, char encoded[static SETTINGS_ENCODED_SIZE]);

// Writes one line about a problem (with its newline and a terminating 0) and returns its length.
// The user's text is cut short and stripped of control characters.
size_t settings_problem_text(const struct settings_problem *problem,
                             char line[static SETTINGS_PROBLEM_SIZE]);
