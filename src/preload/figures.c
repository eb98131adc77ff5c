// The one use of stdio in the preload object is here: malloc_info() is given a FILE.

#include "preload/figures.h"

#include "base/text.h"
#include "heap/heap.h"
#include "heap/size_class.h"
#include "os/console.h"
#include "preload/export.h"
#include "preload/figures_text.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>

struct class_rows {
    struct heap_class_stats rows[CLASS_COUNT];
    size_t count;
};

static void class_rows_read(struct class_rows *self)
{
    size_t count = heap_class_stats(self->rows, CLASS_COUNT);
    self->count = count < CLASS_COUNT ? count : CLASS_COUNT;
}

static void to_text(void *context, const char *line, size_t length)
{
    (void)length;
    text_add(context, line);
}

static void to_file(void *context, const char *line, size_t length)
{
    (void)length;
    (void)fputs(line, context); // as in glibc the stream's own error mark tells
}

void figures_print(void)
{
    struct heap_stats stats;
    heap_stats(&stats);
    // In one write, so that processes that end together do not mix their lines.
    char buffer[1024];
    struct text text = text_in(buffer, sizeof buffer);
    figures_lines(&stats, to_text, &text);
    console_write(text.bytes, text.length);
}

EXPORT struct mallinfo2 mallinfo2(void)
{
    struct heap_stats stats;
    struct class_rows classes;
    heap_stats(&stats);
    class_rows_read(&classes);
    return figures_mallinfo(&stats, classes.rows, classes.count);
}

EXPORT struct mallinfo mallinfo(void)
{
    struct mallinfo2 wide = mallinfo2();
    return figures_saturated(&wide);
}

EXPORT void malloc_stats(void)
{
    figures_print();
}

EXPORT int malloc_info(int options, FILE *stream)
{
    if (options != 0) return EINVAL; // the result, not errno: so does glibc
    struct heap_stats stats;
    struct class_rows classes;
    heap_stats(&stats);
    class_rows_read(&classes);
    // No lock of ours is held here: the stream may well allocate its buffer.
    figures_xml(&stats, classes.rows, classes.count, to_file, stream);
    return 0;
}
