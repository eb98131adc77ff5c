#include "base/settings.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)

static_assert(SIZE_MAX >= UINT64_MAX, "sizes are read into 64 bits");
static_assert(SETTINGS_TEXT_SIZE == sizeof(((struct settings *)0)->recording), "its row's limit");

// The limits are guesses that keep a slip of the pen from doing harm: below a page a mapping per
// block is all loss, above a TiB nothing would ever be returned, and a day is no delay any more.
const struct setting settings_table[SETTINGS_COUNT] = {
    {"direct_size", SETTING_SIZE, offsetof(struct settings, direct_size), 32 * MIB, 4 * KIB,
     1024 * GIB, "larger blocks get a mapping of their own"},
    {"dirty_keep", SETTING_SIZE, offsetof(struct settings, dirty_keep), 1 * MIB, 0, 1024 * GIB,
     "free memory kept before any is returned"},
    {"keep_exact", SETTING_BOOL, offsetof(struct settings, keep_exact), 0, 0, 1,
     "keep no more (no: also what was in use a moment ago)"},
    {"purge_delay", SETTING_MILLISECONDS, offsetof(struct settings, purge_delay_ms), 300, 0,
     24 * 60 * 60 * 1000, "how long free memory rests first"},
    {"helper", SETTING_BOOL, offsetof(struct settings, helper), 1, 0, 1,
     "a short-lived thread may return memory"},
    {"perturb", SETTING_NUMBER, offsetof(struct settings, perturb), 0, 0, 255,
     "fill freed blocks with it, as M_PERTURB"},
    {"stats", SETTING_BOOL, offsetof(struct settings, stats), 0, 0, 1,
     "malloc_stats to standard error at exit"},
    {"observe", SETTING_BOOL, offsetof(struct settings, observe), 0, 0, 1,
     "record who allocates what"},
    {"leaks", SETTING_BOOL, offsetof(struct settings, leaks), 0, 0, 1,
     "with observe: look for leaks at the end"},
    {"recording", SETTING_TEXT, offsetof(struct settings, recording), 0, 0, SETTINGS_TEXT_SIZE - 1,
     "the recording's path: %p pid, %i image"},
    {"arguments", SETTING_BOOL, offsetof(struct settings, arguments), 1, 0, 1,
     "keep the command line in the recording"},
};

static bool text_is(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && memcmp(text, word, len) == 0;
}

const struct setting *settings_find(const char *key, size_t len)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        if (text_is(key, len, settings_table[i].key)) return &settings_table[i];
    }
    return NULL;
}

static bool *bool_at(struct settings *self, const struct setting *row)
{
    return (bool *)((char *)self + row->offset);
}

static size_t *size_at(struct settings *self, const struct setting *row)
{
    return (size_t *)(void *)((char *)self + row->offset);
}

static char *text_at(struct settings *self, const struct setting *row)
{
    return (char *)self + row->offset;
}

const char *settings_text(const struct settings *self, const struct setting *row)
{
    return (const char *)self + row->offset;
}

size_t settings_value(const struct settings *self, const struct setting *row)
{
    const char *at = (const char *)self + row->offset;
    if (row->kind == SETTING_BOOL) return *(const bool *)at;
    if (row->kind == SETTING_TEXT) return strlen(at);
    return *(const size_t *)(const void *)at;
}

void settings_init(struct settings *self)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        const struct setting *row = &settings_table[i];
        if (row->kind == SETTING_BOOL) {
            *bool_at(self, row) = row->value_default != 0;
        } else if (row->kind == SETTING_TEXT) {
            text_at(self, row)[0] = '\0';
        } else {
            *size_at(self, row) = row->value_default;
        }
    }
}

bool settings_read_bool(const char *text, size_t len, bool *value_out)
{
    static const char *const words[2][4] = {
        {"no", "off", "false", "0"},
        {"yes", "on", "true", "1"},
    };
    for (size_t i = 0; i < 4; i++) {
        for (size_t truth = 0; truth < 2; truth++) {
            if (text_is(text, len, words[truth][i])) {
                *value_out = truth == 1;
                return true;
            }
        }
    }
    return false;
}

// Reads decimal digits, and a unit where one is allowed. A value past SIZE_MAX reads as SIZE_MAX,
// which is above every row's limit.
static bool size_read(const char *text, size_t len, bool unit_allowed, size_t *value_out)
{
    size_t shift = 0;
    if (unit_allowed && len > 0) {
        char unit = text[len - 1];
        if (unit == 'K' || unit == 'k') shift = 10;
        if (unit == 'M' || unit == 'm') shift = 20;
        if (unit == 'G' || unit == 'g') shift = 30;
        if (shift > 0) len--;
    }
    if (len == 0) return false;
    size_t value = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        size_t digit = (size_t)(text[i] - '0');
        if (__builtin_mul_overflow(value, (size_t)10, &value) ||
            __builtin_add_overflow(value, digit, &value)) {
            value = SIZE_MAX; // and stays there: the next product overflows again
        }
    }
    *value_out = value > SIZE_MAX >> shift ? SIZE_MAX : value << shift;
    return true;
}

static const char *kind_reason(enum setting_kind kind)
{
    switch (kind) {
    case SETTING_BOOL: return "wants yes or no";
    case SETTING_SIZE: return "wants a size, such as 65536, 64K, 4M or 1G";
    case SETTING_MILLISECONDS: return "wants a number of milliseconds";
    case SETTING_TEXT:
    case SETTING_NUMBER: break;
    }
    return "wants a number";
}

// 16 for what is no hexadecimal digit.
static unsigned hex_value(char c)
{
    if (c >= '0' && c <= '9') return (unsigned)(c - '0');
    if (c >= 'A' && c <= 'F') return (unsigned)(c - 'A') + 10;
    if (c >= 'a' && c <= 'f') return (unsigned)(c - 'a') + 10;
    return 16;
}

// The byte that %XX at text[0] stands for, or -1 when that is not what stands there.
static int byte_decode(const char *text, size_t len)
{
    if (len < 3 || text[0] != '%') return -1;
    const unsigned high = hex_value(text[1]);
    const unsigned low = hex_value(text[2]);
    return high < 16 && low < 16 ? (int)(high << 4 | low) : -1;
}

bool settings_encode(const char *text, char encoded[static SETTINGS_ENCODED_SIZE])
{
    const size_t len = strlen(text);
    if (len >= SETTINGS_TEXT_SIZE) return false;
    char *end = encoded;
    for (size_t i = 0; i < len; i++) {
        const unsigned char byte = (unsigned char)text[i];
        if (byte > ' ' && byte <= '~' && byte != ',' && byte_decode(text + i, len - i) < 0) {
            *end++ = text[i];
            continue;
        }
        *end++ = '%';
        *end++ = "0123456789ABCDEF"[byte >> 4];
        *end++ = "0123456789ABCDEF"[byte & 15];
    }
    *end = '\0';
    return true;
}

static bool text_set(struct settings *self, const struct setting *row, const char *value,
                     size_t len, const char **reason_out)
{
    char text[SETTINGS_TEXT_SIZE];
    size_t count = 0;
    for (size_t i = 0; i < len; i++) {
        const int byte = byte_decode(value + i, len - i);
        text[count] = byte >= 0 ? (char)byte : value[i];
        if (byte >= 0) i += 2;
        if (text[count] == '\0' || count == row->max) {
            *reason_out = count == row->max ? "is too long" : "holds a zero byte";
            return false;
        }
        count++;
    }
    memcpy(text_at(self, row), text, count);
    text_at(self, row)[count] = '\0';
    return true;
}

bool settings_set(struct settings *self, const struct setting *row, const char *value, size_t len,
                  const char **reason_out)
{
    if (row->kind == SETTING_TEXT) return text_set(self, row, value, len, reason_out);
    bool truth = false;
    size_t size = 0;
    bool is_read = row->kind == SETTING_BOOL
                       ? settings_read_bool(value, len, &truth)
                       : size_read(value, len, row->kind == SETTING_SIZE, &size);
    if (!is_read) {
        *reason_out = kind_reason(row->kind);
        return false;
    }
    if (row->kind == SETTING_BOOL) {
        *bool_at(self, row) = truth;
        return true;
    }
    if (size < row->min || size > row->max) {
        *reason_out = size < row->min ? "is too small" : "is too large";
        return false;
    }
    *size_at(self, row) = size;
    return true;
}

static void part_parse(struct settings *self, const char *part, size_t len, settings_report report,
                       void *context)
{
    const char *equals = memchr(part, '=', len);
    size_t key_len = equals ? (size_t)(equals - part) : len;
    struct settings_problem problem = {part, len, "is no setting", settings_find(part, key_len)};
    if (problem.row && !equals) {
        problem.reason = "wants a value: key=value";
    } else if (problem.row &&
               settings_set(self, problem.row, equals + 1, len - key_len - 1, &problem.reason)) {
        return;
    }
    if (report) report(context, &problem);
}

void settings_parse(struct settings *self, const char *text, settings_report report, void *context)
{
    while (*text) {
        size_t len = 0;
        while (text[len] && text[len] != ',') len++;
        if (len > 0) part_parse(self, text, len, report, context);
        text += len;
        if (*text) text++;
    }
}

static size_t append(char *line, size_t len, const char *text)
{
    size_t more = strlen(text);
    memcpy(line + len, text, more);
    return len + more;
}

size_t settings_problem_text(const struct settings_problem *problem,
                             char line[static SETTINGS_PROBLEM_SIZE])
{
    // The fixed words and the longest reason take less than 80 bytes.
    enum { SHOWN_MAX = 64 };
    size_t len = append(line, 0, "mete: METE: '");
    size_t shown = problem->len < SHOWN_MAX ? problem->len : SHOWN_MAX;
    for (size_t i = 0; i < shown; i++) {
        char byte = problem->text[i];
        line[len++] = byte >= ' ' && byte <= '~' ? byte : '?';
    }
    if (shown < problem->len) len = append(line, len, "...");
    len = append(line, len, "' ");
    len = append(line, len, problem->reason);
    len = append(line, len, "; ignored\n");
    line[len] = '\0';
    return len;
}
