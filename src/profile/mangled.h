// Mangled: Valgrind's patterns of mangled C++ names ("_ZN4QMap*"), matched against the names that
// they stand for, since recordings hold no others. Pure.
#pragma once

#include <stdbool.h>

// Whether the pattern begins as a mangled name and is not one: it has a '*' or a '?'.
bool mangled_is_pattern(const char *pattern);

// Whether a function of that name, as the demangler gives it, is meant by such a pattern. Its
// scopes and its own name are compared as far as the first '*' or '?', or to where arguments are
// told (of a template, of a call), which are taken to fit; what is told behind a '*' ("*6insert*",
// "*Cache*") must come, in that order.
bool mangled_matches(const char *pattern, const char *name);
