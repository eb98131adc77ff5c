// Abbreviations: whether units written with a table of .debug_abbrev can be read without others.
#pragma once

#include <stdint.h>

enum abbreviations {
    ABBREVIATIONS_WITHIN,  // they refer to nothing outside of them
    ABBREVIATIONS_OUTWARD, // they may
    ABBREVIATIONS_CUT,     // the bytes end before the table does
};

// The table that begins at `at`, of the section's first `size` bytes.
enum abbreviations abbreviations_look(const uint8_t *bytes, uint64_t size, uint64_t at);
