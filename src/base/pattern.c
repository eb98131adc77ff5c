#include "base/pattern.h"

#include <string.h>

bool pattern_check(const char *pattern, const char *letters, const char **wrong_out)
{
    for (const char *at = pattern; *at; at++) {
        if (*at != '%') continue;
        if (at[1] == '\0' || (at[1] != '%' && !strchr(letters, at[1]))) {
            *wrong_out = at;
            return false;
        }
        at++;
    }
    return true;
}

bool pattern_has(const char *pattern, char letter)
{
    for (const char *at = pattern; *at; at++) {
        if (*at != '%' || at[1] == '\0') continue;
        if (at[1] == letter) return true;
        at++;
    }
    return false;
}

// What stands in the place of a letter; NULL when it is no field.
static const char *field_find(const struct pattern_field *fields, size_t count, char letter)
{
    if (letter == '%') return "%";
    for (size_t i = 0; i < count; i++) {
        if (letter != '\0' && fields[i].letter == letter) return fields[i].text;
    }
    return NULL;
}

bool pattern_expand(const char *pattern, const struct pattern_field *fields, size_t count,
                    char *buffer, size_t size)
{
    size_t used = 0;
    for (const char *at = pattern; *at; at++) {
        const char *text = *at == '%' ? field_find(fields, count, at[1]) : NULL;
        const size_t len = text ? strlen(text) : 1;
        if (len >= size - used) {
            buffer[used] = '\0';
            return false;
        }
        memcpy(buffer + used, text ? text : at, len);
        used += len;
        if (text) at++;
    }
    buffer[used] = '\0';
    return true;
}

bool pattern_escape(const char *text, char *buffer, size_t size)
{
    size_t used = 0;
    for (const char *at = text; *at; at++) {
        if (size - used <= (*at == '%' ? 2U : 1U)) return false;
        if (*at == '%') buffer[used++] = '%';
        buffer[used++] = *at;
    }
    buffer[used] = '\0';
    return true;
}
