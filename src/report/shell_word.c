#include "report/shell_word.h"

#include "report/letters.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { GROWTH_MAX = 4 }; // a byte becomes \123, or '\''

static bool is_plain(const char *text)
{
    if (!*text || *text == '=') return false; // zsh looks for a command there
    for (const char *at = text; *at; at++) {
        const unsigned char byte = (unsigned char)*at;
        if (!isalnum(byte) && !strchr("/._-+,:@%=", *at) && byte < 0x80) return false;
    }
    return true;
}

// Whether it is shown as it is.
static bool is_shown(const char *text, bool has_unicode, char *room, size_t size)
{
    letters_show(text, has_unicode, room, size);
    return strcmp(text, room) == 0;
}

static void quote(const char *text, char *at)
{
    at = stpcpy(at, "'");
    for (; *text; text++) {
        if (*text == '\'') at = stpcpy(at, "'\\''");
        if (*text != '\'') *at++ = *text;
    }
    (void)stpcpy(at, "'");
}

// Numbers have three digits, so that what follows does not belong to them.
static void escape(const char *text, char *at)
{
    at = stpcpy(at, "$'");
    for (; *text; text++) {
        const unsigned char byte = (unsigned char)*text;
        if (byte == '\'' || byte == '\\') {
            *at++ = '\\';
            *at++ = *text;
        } else if (byte == '\n') {
            at = stpcpy(at, "\\n");
        } else if (byte == '\t') {
            at = stpcpy(at, "\\t");
        } else if (byte < 0x20 || byte >= 0x7f) {
            *at++ = '\\';
            *at++ = (char)('0' + (byte >> 6));
            *at++ = (char)('0' + (byte >> 3 & 7));
            *at++ = (char)('0' + (byte & 7));
        } else {
            *at++ = *text;
        }
    }
    (void)stpcpy(at, "'");
}

static char *write_word(const char *text, bool has_unicode, bool may_be_plain)
{
    const size_t size = strlen(text) * GROWTH_MAX + sizeof "$''";
    char *word = malloc(size);
    if (!word) return NULL;
    if (!is_shown(text, has_unicode, word, size)) {
        escape(text, word);
    } else if (may_be_plain && is_plain(text)) {
        (void)stpcpy(word, text);
    } else {
        quote(text, word);
    }
    return word;
}

char *shell_word(const char *text, bool has_unicode)
{
    return write_word(text, has_unicode, true);
}

char *shell_command(const char *text, bool has_unicode)
{
    return write_word(text, has_unicode, !strchr(text, '='));
}
