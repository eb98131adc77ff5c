// Pattern: names with '*' for any letters and '?' for one. Pure.
#pragma once

#include <stdbool.h>

// Whether the whole text is as the pattern says.
bool pattern_matches(const char *pattern, const char *text);

// The same, and a pattern without '*' and '?' may stand anywhere in the text.
bool pattern_finds(const char *pattern, const char *text);
