// Output: where the words of `mete` go, and with which status it ends.
// Results go to standard output, everything else to standard error. Belongs to the command line.
#pragma once

#include <stdio.h>

// Besides a program's own status.
enum {
    STATUS_OK = 0,
    STATUS_USAGE = 2,    // the command line cannot be understood
    STATUS_FAILED = 125, // mete itself failed
};

// One line "mete: …" on standard error.
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

// The same where the caller's words go, on lines of 80 columns where these allow it; what stands in
// quotes stays on one. NULL: nowhere.
__attribute__((format(printf, 2, 3))) void say_to(FILE *out, const char *format, ...);

// An empty line there.
void say_gap(FILE *out);

// How many lines these two have written.
size_t output_lines_said(void);

// Ends standard output; the status to exit with when `status` was it so far. What was printed and
// could not be written is a failure, never silence.
int output_finish(int status);

// Prints one JSON value and a newline on standard output, and lets go of it; NULL is a failure. The
// status.
struct json_t;
int output_json(struct json_t *value);
