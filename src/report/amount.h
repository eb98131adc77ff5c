// Amount: numbers as people read them: sizes in KiB, MiB, GiB and counts beyond ten millions with
// three significant digits, or exactly. No locale. Pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { AMOUNT_SIZE = 32 }; // holds any of these

// "812 MiB", "1000 B"; exactly: "851,443,712".
void amount_bytes(char text[static AMOUNT_SIZE], int64_t bytes, bool is_exact);
// "1,204,331", "12.3 M".
void amount_count(char text[static AMOUNT_SIZE], uint64_t count, bool is_exact);
// "244 k" a second, or "-" where no time has passed.
void amount_rate(char text[static AMOUNT_SIZE], uint64_t count, uint64_t time_ms);
// "350 ms", "12.4 s", "2 min 5 s", "1 h 2 min"; exactly: "12,400 ms".
void amount_time(char text[static AMOUNT_SIZE], uint64_t time_ms, bool is_exact);
// "75 %", "<1 %"; empty when there is no whole.
void amount_share(char text[static AMOUNT_SIZE], int64_t part, int64_t whole);
// What a noun ends in behind a count: "" or "s".
const char *amount_plural(uint64_t count);
