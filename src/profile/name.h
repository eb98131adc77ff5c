// Name: what people call a function, made of what the demangler calls it: without parameters,
// return type and clones, template arguments folded to <>. "void a::b<int>(int) [clone .cold]" is
// a::b<>. What is not understood stays as it is. Pure.
#pragma once

#include <stddef.h>

// Writes at most `capacity` bytes, among them the terminating zero; strlen(full) + 1 is enough.
void name_fold(const char *full, char *name_out, size_t capacity);
