#include "cli/output.h"

#include <jansson.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { COLUMNS = 80 };

static void say_all(FILE *out, const char *format, va_list arguments)
{
    // Nothing can be done when even standard error is closed.
    (void)fputs("mete: ", out);
    (void)vfprintf(out, format, arguments);
    (void)fputc('\n', out);
}

void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_all(stderr, format, arguments);
    va_end(arguments);
}

void say_to(FILE *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (out) say_all(out, format, arguments);
    va_end(arguments);
}

// How much of them goes on a line: up to the last space that does, or the first behind that.
static size_t wrap_at(const char *words, size_t columns)
{
    const size_t size = strlen(words);
    if (size <= columns) return size;
    size_t at = columns;
    while (at > 0 && words[at] != ' ') at--;
    return at > 0 ? at : strcspn(words, " ");
}

void say_wrapped_to(FILE *out, const char *words)
{
    static const char begin[] = "mete: ";
    if (!out) return;
    for (const char *at = words; *at;) {
        const size_t size = wrap_at(at, COLUMNS - strlen(begin));
        (void)fprintf(out, "%*s%.*s\n", (int)strlen(begin), at == words ? begin : "", (int)size,
                      at);
        at += size;
        while (*at == ' ') at++;
    }
}

int output_finish(int status)
{
    errno = 0;
    int failed = ferror(stdout);
    if (fclose(stdout) != 0) failed = 1;
    if (!failed) return status;
    say("cannot write to standard output: %s", errno ? strerror(errno) : "an earlier write failed");
    return STATUS_FAILED;
}

int output_json(struct json_t *value)
{
    // A failed write shows in output_finish; what cannot be built is a want of memory or text that
    // is not UTF-8.
    if (!value) {
        say("cannot be told as JSON, which knows UTF-8 alone");
        return STATUS_FAILED;
    }
    (void)json_dumpf(value, stdout, JSON_INDENT(2));
    json_decref(value);
    (void)putchar('\n');
    return STATUS_OK;
}
