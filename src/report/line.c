#include "report/line.h"

#include "report/letters.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_SIZE = 1024 }; // no line is as long, but for a path

static void write_shown(struct line *self, enum ink ink, const char *shown)
{
    static const char *const codes[] = {
        [INK_BOLD] = "\033[1m",
        [INK_DIM] = "\033[2m",
        [INK_GRAPH] = "\033[36m",
        [INK_NOTE] = "\033[33m",
    };
    if (!*shown) return;
    for (; self->spaces > 0; self->spaces--) (void)fputc(' ', self->out);
    const char *code = self->style.has_colour && ink != INK_PLAIN ? codes[ink] : NULL;
    if (code) (void)fputs(code, self->out);
    (void)fputs(shown, self->out);
    if (code) (void)fputs("\033[0m", self->out);
    self->column += letters_width(shown);
}

void line_put(struct line *self, enum ink ink, const char *text)
{
    char shown[SHOWN_SIZE];
    // Longer ones are paths, which must be whole to be of use.
    const size_t size = strlen(text) + 1;
    char *larger = size > sizeof shown ? malloc(size) : NULL;
    letters_show(text, self->style.has_unicode, larger ? larger : shown,
                 larger ? size : sizeof shown);
    write_shown(self, ink, larger ? larger : shown);
    free(larger);
}

void line_print(struct line *self, enum ink ink, const char *format, ...)
{
    char text[SHOWN_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    line_put(self, ink, text);
}

static size_t room_before(const struct line *self, size_t end)
{
    return end > self->column ? end - self->column : 0;
}

void line_put_within(struct line *self, enum ink ink, const char *text, size_t end)
{
    // The end of a name tells most, so a long one must be there as a whole to be cut.
    const size_t size = strlen(text) + 1;
    char *shown = malloc(size + LETTERS_SPARE);
    if (!shown) return;
    letters_show(text, self->style.has_unicode, shown, size);
    letters_cut(shown, room_before(self, end), self->style.has_unicode);
    write_shown(self, ink, shown);
    free(shown);
}

void line_put_begin(struct line *self, enum ink ink, const char *text, size_t end)
{
    char shown[SHOWN_SIZE];
    letters_show(text, self->style.has_unicode, shown, sizeof shown - LETTERS_SPARE);
    letters_cut_end(shown, room_before(self, end), self->style.has_unicode);
    write_shown(self, ink, shown);
}

void line_put_right(struct line *self, enum ink ink, const char *text, size_t end)
{
    char shown[SHOWN_SIZE];
    letters_show(text, self->style.has_unicode, shown, sizeof shown);
    const size_t columns = letters_width(shown);
    // Where it does not fit it ends later, but does not touch what is there.
    if (self->column > 0) line_go(self, self->column + 1);
    if (columns < end) line_go(self, end - columns);
    write_shown(self, ink, shown);
}

void line_go(struct line *self, size_t column)
{
    if (column <= self->column) return;
    self->spaces += column - self->column;
    self->column = column;
}

void line_end(struct line *self)
{
    (void)fputc('\n', self->out);
    self->column = 0;
    self->spaces = 0;
}
