#include "cli/output.h"

#include <jansson.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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
