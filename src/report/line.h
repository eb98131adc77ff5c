// Line: one line of text after the other, in columns, with modest colour. What is put is shown as
// letters.h says. No line ends in spaces. Writes to the stream that its owner names; a failed write
// shows at that stream's end.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { LINE_COLUMNS = 80 };

struct report_style {
    bool has_colour;
    bool has_unicode;
    bool is_exact;
};

enum ink { INK_PLAIN, INK_BOLD, INK_DIM, INK_GRAPH, INK_NOTE };

struct line {
    FILE *out;
    struct report_style style;
    size_t column; // where the next letter goes
    size_t spaces; // of these, not yet written
};

void line_put(struct line *self, enum ink ink, const char *text);
__attribute__((format(printf, 3, 4))) void line_print(struct line *self, enum ink ink,
                                                      const char *format, ...);
// The same, cut in the middle, or at its end, so that it ends at `end` at the latest.
void line_put_within(struct line *self, enum ink ink, const char *text, size_t end);
void line_put_begin(struct line *self, enum ink ink, const char *text, size_t end);
// Ends at column `end` if it fits there behind a space.
void line_put_right(struct line *self, enum ink ink, const char *text, size_t end);
// The next letter goes to `column`, or at once if it is past that.
void line_go(struct line *self, size_t column);
void line_end(struct line *self);
