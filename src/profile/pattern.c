#include "profile/pattern.h"

#include <string.h>

bool pattern_matches(const char *pattern, const char *text)
{
    const char *star = NULL;  // the last one, to which we return
    const char *begin = NULL; // what it has not eaten yet
    while (*text) {
        if (*pattern == '*') {
            star = ++pattern;
            begin = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star;
            text = ++begin;
        } else {
            return false;
        }
    }
    while (*pattern == '*') pattern++;
    return !*pattern;
}

bool pattern_finds(const char *pattern, const char *text)
{
    if (strpbrk(pattern, "*?")) return pattern_matches(pattern, text);
    return strstr(text, pattern) != NULL;
}
