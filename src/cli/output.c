#include "cli/output.h"

#include <jansson.h>

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 80 };

static const char beginning[] = "mete: ";

void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    // Nothing can be done when even standard error is closed.
    (void)fputs(beginning, stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
}

// Where the name ends whose first quote is at `at`: its second quote; NULL where there is no name.
static const char *quoted_end(const char *words, const char *at)
{
    if (*at != '\'' || (at > words && at[-1] != ' ')) return NULL;
    while ((at = strchr(at + 1, '\'')) != NULL) {
        if (strchr(" ,;:.)", at[1])) return at; // or the end
    }
    return NULL;
}

enum { SHORT = 8 }; // so few words before a long name share its line

// How much of them goes on a line: up to the last space that does, or the first behind that. Names
// in quotes stay whole.
static size_t wrap_at(const char *words, size_t columns)
{
    const char *last = NULL;
    const char *at = words;
    for (; *at; at++) {
        if (last && at > words + columns) return (size_t)(last - words);
        if (*at == ' ' && at - words > SHORT) last = at;
        const char *end = quoted_end(words, at);
        if (end) at = end;
    }
    return last && at > words + columns ? (size_t)(last - words) : (size_t)(at - words);
}

static size_t lines_said;

size_t output_lines_said(void)
{
    return lines_said;
}

void say_to(FILE *out, const char *format, ...)
{
    if (!out) return;
    char *words = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&words, format, arguments) < 0) words = NULL;
    va_end(arguments);
    const int indent = (int)strlen(beginning);
    for (const char *at = words ? words : ""; *at;) {
        const size_t size = wrap_at(at, COLUMNS - strlen(beginning));
        (void)fprintf(out, "%*s%.*s\n", indent, at == words ? beginning : "", (int)size, at);
        at += size;
        at += *at == ' ';
        lines_said++;
    }
    free(words);
}

void say_gap(FILE *out)
{
    (void)fputc('\n', out);
    lines_said++;
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
