#include "base/panic.h"

#include "base/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

// write() may be cut short by a signal or a pipe; so go on until the line is out.
static void write_line(struct text *line)
{
    size_t done = 0;
    while (done < line->length) {
        ssize_t count = write(STDERR_FILENO, line->bytes + done, line->length - done);
        if (count <= 0) break; // nobody listens: abort() is still the message
        done += (size_t)count;
    }
}

_Noreturn COLD void panic(const char *verb, const void *pointer, const char *reason)
{
    char buffer[256];
    struct text line = text_in(buffer, sizeof buffer - 1); // one byte kept for the newline
    text_add(&line, "mete: ");
    text_add(&line, verb);
    text_add(&line, "(");
    text_add_hex(&line, (uintptr_t)pointer);
    text_add(&line, "): ");
    text_add(&line, reason);
    line.capacity++;
    text_add(&line, "\n");
    write_line(&line);
    abort();
}

_Noreturn COLD void panic_plain(const char *reason)
{
    char buffer[256];
    struct text line = text_in(buffer, sizeof buffer - 1); // one byte kept for the newline
    text_add(&line, "mete: ");
    text_add(&line, reason);
    line.capacity++;
    text_add(&line, "\n");
    write_line(&line);
    abort();
}
