#include "report/letters.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

uint32_t letter_next(const char **text)
{
    const unsigned char *at = (const unsigned char *)*text;
    const unsigned first = at[0];
    (*text)++;
    if (first < 0x80) return first;
    const unsigned more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    if (first < 0xc2 || first > 0xf4) return UINT32_MAX;
    uint32_t letter = first & (0x3fu >> more);
    for (unsigned i = 1; i <= more; i++) {
        if ((at[i] & 0xc0) != 0x80) return UINT32_MAX;
        letter = letter << 6 | (at[i] & 0x3f);
    }
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    const bool is_surrogate = letter >= 0xd800 && letter < 0xe000;
    if (letter < least[more] || letter > 0x10ffff || is_surrogate) return UINT32_MAX;
    *text += more;
    return letter;
}

struct range {
    uint32_t first;
    uint32_t last;
};

static bool is_in(const struct range *ranges, size_t count, uint32_t letter)
{
    for (size_t i = 0; i < count; i++) {
        if (letter >= ranges[i].first && letter <= ranges[i].last) return true;
    }
    return false;
}

// By Unicode's blocks rather than its full tables: names of functions hold few of these.
unsigned letter_width(uint32_t letter)
{
    static const struct range none[] = {
        {0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},   {0x610, 0x61a},
        {0x64b, 0x65f},   {0x93c, 0x93c},   {0x941, 0x948},   {0xe31, 0xe31},
        {0xe34, 0xe3a},   {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200f},
        {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xe0100, 0xe01ef},
    };
    static const struct range wide[] = {
        {0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},
        {0x4e00, 0x9fff},   {0xa000, 0xa4cf},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},
        {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1f64f},
        {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
    };
    if (letter < 0x300) return 1;
    if (is_in(none, sizeof none / sizeof *none, letter)) return 0;
    return is_in(wide, sizeof wide / sizeof *wide, letter) ? 2 : 1;
}

// What commands a terminal or turns the direction of writing.
static bool is_command(uint32_t letter)
{
    if (letter < 0x20 || (letter >= 0x7f && letter < 0xa0) || letter == UINT32_MAX) return true;
    return (letter >= 0x200b && letter <= 0x200f) || (letter >= 0x2028 && letter <= 0x202e) ||
           (letter >= 0x2066 && letter <= 0x2069) || letter == 0xfeff;
}

void letters_show(const char *text, bool has_unicode, char *out, size_t capacity)
{
    size_t length = 0;
    while (*text) {
        const char *begin = text;
        const uint32_t letter = letter_next(&text);
        const bool is_hidden = is_command(letter) || (!has_unicode && letter >= 0x80);
        const size_t size = is_hidden ? 1 : (size_t)(text - begin);
        if (length + size >= capacity) break;
        memcpy(out + length, is_hidden ? "?" : begin, size);
        length += size;
    }
    out[length] = '\0';
}

size_t letters_width(const char *shown)
{
    size_t columns = 0;
    while (*shown) columns += letter_width(letter_next(&shown));
    return columns;
}

// The place behind as many letters as fit.
static const char *fitting(const char *text, size_t columns)
{
    size_t taken = 0;
    while (*text) {
        const char *next = text;
        const unsigned width = letter_width(letter_next(&next));
        if (taken + width > columns) break;
        taken += width;
        text = next;
    }
    return text;
}

// The first place behind which everything fits.
static const char *fitting_end(const char *text, size_t columns)
{
    size_t left = letters_width(text);
    while (left > columns) left -= letter_width(letter_next(&text));
    return text;
}

static void join(char *shown, size_t head, const char *middle, const char *tail)
{
    // At least one column more than the middle's goes, but perhaps of one byte each.
    const size_t size = strlen(middle);
    memmove(shown + head + size, tail, strlen(tail) + 1);
    memcpy(shown + head, middle, size);
}

// The next "::" outside of brackets, or NULL.
static const char *parting_find(const char *text)
{
    int depth = 0;
    for (; *text; text++) {
        if (strchr("(<{[", *text)) depth++;
        if (strchr(")>}]", *text)) depth--;
        if (depth == 0 && text[0] == ':' && text[1] == ':') return text;
    }
    return NULL;
}

// first::…::last as long as it fits, then …::last. False: there is no such place.
static bool cut_at_partings(char *shown, size_t columns, const char *mark)
{
    const char *first = parting_find(shown);
    if (!first) return false;
    const size_t head = (size_t)(first - shown) + 2;
    char *begin = strndup(shown, head);
    if (!begin) return false;
    const size_t head_columns = letters_width(begin);
    free(begin);
    const size_t mark_columns = letters_width(mark);
    for (int with_head = 1; with_head >= 0; with_head--) {
        const size_t taken = mark_columns + (with_head ? head_columns : 0);
        for (const char *at = first; at; at = parting_find(at + 2)) {
            if (at == first && with_head) continue; // there would be nothing in between
            if (taken + letters_width(at) > columns) continue;
            join(shown, with_head ? head : 0, mark, at);
            return true;
        }
    }
    return false;
}

void letters_cut(char *shown, size_t columns, bool has_unicode)
{
    if (letters_width(shown) <= columns) return;
    const char *mark = has_unicode ? "…" : "..";
    const size_t mark_columns = letters_width(mark);
    if (columns <= mark_columns) {
        *(char *)fitting(shown, columns) = '\0';
        return;
    }
    if (cut_at_partings(shown, columns, mark)) return;
    const size_t room = columns - mark_columns;
    const char *head = fitting(shown, room / 2);
    const char *tail = fitting_end(head, room - room / 2);
    join(shown, (size_t)(head - shown), mark, tail);
}

void letters_cut_end(char *shown, size_t columns, bool has_unicode)
{
    if (letters_width(shown) <= columns) return;
    const char *mark = has_unicode ? "…" : "..";
    const size_t mark_columns = letters_width(mark);
    const char *end = shown + strlen(shown);
    const char *head = fitting(shown, columns > mark_columns ? columns - mark_columns : columns);
    if (columns > mark_columns) {
        join(shown, (size_t)(head - shown), mark, end);
    } else {
        *(char *)head = '\0';
    }
}

bool letters_are_unicode(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (!value || !*value) continue;
        for (; *value; value++) {
            if (strncasecmp(value, "utf-8", 5) == 0 || strncasecmp(value, "utf8", 4) == 0) {
                return true;
            }
        }
        return false;
    }
    return false;
}
