// Letters: text from outside, made fit for a terminal: its width in columns, what is no UTF-8 and
// what would command the terminal taken out, and what is too wide cut in the middle. Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The code point that *text begins with, and moves *text behind it; UINT32_MAX for a byte that is
// not part of UTF-8. *text is terminated and not at its end.
uint32_t letter_next(const char **text);

// Of a terminal's columns: 0 (combining), 1 or 2 (wide).
unsigned letter_width(uint32_t letter);

// The text as it may be shown: at most `capacity` bytes with the terminating zero. Control
// characters, bytes that are no UTF-8 and, without Unicode, all but ASCII become '?'.
void letters_show(const char *text, bool has_unicode, char *out, size_t capacity);

// The columns that shown text takes.
size_t letters_width(const char *shown);

enum { LETTERS_SPARE = 2 }; // bytes that must be free behind what is cut: a mark may be longer

// Cuts shown text in place to at most `columns`; keeps its end, where the most specific words are.
// Names are cut at "::" where that leaves enough.
void letters_cut(char *shown, size_t columns, bool has_unicode);

// Keeps its beginning instead.
void letters_cut_end(char *shown, size_t columns, bool has_unicode);

// Whether the locale's settings say UTF-8: `LC_ALL`, or `LC_CTYPE`, or `LANG`.
bool letters_are_unicode(void);
