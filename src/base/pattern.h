// Pattern: a path with placeholders, %p and the like, for what is known only when it is needed.
// '%%' stands for a percent sign. Pure functions without stdio, locale or allocation, so that they
// may also run inside the observed process.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct pattern_field {
    char letter;      // after the '%'
    const char *text; // what stands in its place
};

// Whether every '%' is followed by one of the letters or another '%'; else the first that is not
// is at *wrong_out.
bool pattern_check(const char *pattern, const char *letters, const char **wrong_out);

// Whether a letter occurs.
bool pattern_has(const char *pattern, char letter);

// Writes the pattern with its fields put in; a '%' that begins no field stays as it is. False when
// it does not fit with its terminating 0; then the buffer holds what did.
bool pattern_expand(const char *pattern, const struct pattern_field *fields, size_t count,
                    char *buffer, size_t size);

// Writes a text such that as a pattern it means itself. False when it does not fit.
bool pattern_escape(const char *text, char *buffer, size_t size);
