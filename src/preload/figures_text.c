#include "preload/figures_text.h"

#include "base/text.h"

#include <limits.h>

enum { LINE_SIZE = 256 }; // the longest line has four numbers of up to 20 digits

// One line on its way to a sink.
struct line {
    char bytes[LINE_SIZE];
    struct text text;
};

static void line_begin(struct line *self, const char *words)
{
    self->text = text_in(self->bytes, sizeof self->bytes);
    text_add(&self->text, words);
}

static void line_end(struct line *self, const char *words, figures_sink sink, void *context)
{
    text_add(&self->text, words);
    text_add(&self->text, "\n");
    sink(context, self->bytes, self->text.length);
}

static void put(const char *words, figures_sink sink, void *context)
{
    struct line line;
    line_begin(&line, words);
    line_end(&line, "", sink, context);
}

static void add_attribute(struct line *line, const char *name, size_t value)
{
    text_add(&line->text, " ");
    text_add(&line->text, name);
    text_add(&line->text, "=\"");
    text_add_decimal(&line->text, value);
    text_add(&line->text, "\"");
}

static void put_size(const char *element, size_t size, figures_sink sink, void *context)
{
    struct line line;
    line_begin(&line, element);
    add_attribute(&line, "size", size);
    line_end(&line, "/>", sink, context);
}

static void put_count_and_size(const char *element, size_t count, size_t size, figures_sink sink,
                               void *context)
{
    struct line line;
    line_begin(&line, element);
    add_attribute(&line, "count", count);
    add_attribute(&line, "size", size);
    line_end(&line, "/>", sink, context);
}

static size_t difference(size_t a, size_t b)
{
    return a > b ? a - b : 0; // figures of a running program need not fit together
}

static size_t free_blocks(const struct heap_class_stats *rows, size_t count)
{
    size_t blocks = 0;
    for (size_t i = 0; i < count; i++) blocks += rows[i].free_blocks;
    return blocks;
}

static void put_free_size(const struct heap_class_stats *row, size_t from, figures_sink sink,
                          void *context)
{
    struct line line;
    line_begin(&line, "  <size");
    add_attribute(&line, "from", from);
    add_attribute(&line, "to", row->block_size);
    add_attribute(&line, "total", row->free_blocks * row->block_size);
    add_attribute(&line, "count", row->free_blocks);
    line_end(&line, "/>", sink, context);
}

static void put_class(const struct heap_class_stats *row, figures_sink sink, void *context)
{
    struct line line;
    line_begin(&line, "  <class");
    add_attribute(&line, "block_size", row->block_size);
    add_attribute(&line, "spans", row->spans);
    add_attribute(&line, "live_blocks", row->live_blocks);
    add_attribute(&line, "free_blocks", row->free_blocks);
    line_end(&line, "/>", sink, context);
}

static void put_classes(const struct heap_class_stats *rows, size_t count, figures_sink sink,
                        void *context)
{
    put("<sizes>", sink, context);
    size_t from = 1;
    for (size_t i = 0; i < count; i++) {
        if (rows[i].free_blocks > 0) put_free_size(&rows[i], from, sink, context);
        from = rows[i].block_size + 1;
    }
    put("</sizes>", sink, context);
    put("<classes>", sink, context);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].spans > 0) put_class(&rows[i], sink, context);
    }
    put("</classes>", sink, context);
}

// What glibc says of each heap and, summed up, of all: free blocks, and what the system gave.
static void put_totals(const struct heap_stats *stats, size_t free_count, figures_sink sink,
                       void *context)
{
    size_t free_bytes = difference(stats->mapped_bytes, stats->live_block_bytes);
    put_count_and_size("<total type=\"fast\"", 0, 0, sink, context);
    put_count_and_size("<total type=\"rest\"", free_count, free_bytes, sink, context);
}

static void put_system(const struct heap_stats *stats, figures_sink sink, void *context)
{
    put_size("<system type=\"current\"", stats->mapped_bytes, sink, context);
    put_size("<system type=\"max\"", stats->mapped_bytes_peak, sink, context);
    put_size("<aspace type=\"total\"", stats->mapped_bytes, sink, context);
    put_size("<aspace type=\"mprotect\"", stats->mapped_bytes, sink, context);
}

void figures_xml(const struct heap_stats *stats, const struct heap_class_stats *rows, size_t count,
                 figures_sink sink, void *context)
{
    size_t free_count = free_blocks(rows, count);
    put("<malloc version=\"1\">", sink, context);
    put("<heap nr=\"0\">", sink, context);
    put_classes(rows, count, sink, context);
    put_totals(stats, free_count, sink, context);
    put_system(stats, sink, context);
    put_size("<live", stats->live_block_bytes, sink, context);
    put_size("<free type=\"dirty\"", stats->free_dirty_bytes, sink, context);
    put_size("<free type=\"clean\"", stats->free_clean_bytes, sink, context);
    put_size("<metadata", stats->metadata_bytes, sink, context);
    put("</heap>", sink, context);
    put_totals(stats, free_count, sink, context);
    put_count_and_size("<total type=\"mmap\"", stats->direct_blocks, stats->direct_bytes, sink,
                       context);
    put_system(stats, sink, context);
    put("</malloc>", sink, context);
}

// "LABEL = VALUE", the value right-aligned as glibc does.
static void put_figure(const char *label, size_t value, figures_sink sink, void *context)
{
    enum { VALUE_WIDTH = 12 };
    size_t digits = 1;
    for (size_t rest = value / 10; rest > 0; rest /= 10) digits++;
    struct line line;
    line_begin(&line, label);
    text_add(&line.text, " = ");
    for (; digits < VALUE_WIDTH; digits++) text_add(&line.text, " ");
    text_add_decimal(&line.text, value);
    line_end(&line, "", sink, context);
}

static void put_glibcs_figures(const struct heap_stats *stats, figures_sink sink, void *context)
{
    put("Arena 0:", sink, context);
    put_figure("system bytes    ", stats->mapped_bytes, sink, context);
    put_figure("in use bytes    ", stats->live_block_bytes, sink, context);
    put("Total (incl. mmap):", sink, context);
    put_figure("system bytes    ", stats->mapped_bytes + stats->direct_bytes, sink, context);
    put_figure("in use bytes    ", stats->live_block_bytes + stats->direct_bytes, sink, context);
    put_figure("max mmap regions", stats->direct_blocks, sink, context);
    put_figure("max mmap bytes  ", stats->direct_bytes, sink, context);
}

void figures_lines(const struct heap_stats *stats, figures_sink sink, void *context)
{
    put_glibcs_figures(stats, sink, context);
    put_figure("mmap regions    ", stats->direct_blocks, sink, context);
    put_figure("mmap bytes      ", stats->direct_bytes, sink, context);
    put_figure("peak system     ", stats->mapped_bytes_peak, sink, context);
    put_figure("live blocks     ", stats->live_blocks + stats->direct_blocks, sink, context);
    put_figure("free dirty bytes", stats->free_dirty_bytes, sink, context);
    put_figure("free clean bytes", stats->free_clean_bytes, sink, context);
    put_figure("metadata bytes  ", stats->metadata_bytes, sink, context);
}

struct mallinfo2 figures_mallinfo(const struct heap_stats *stats,
                                  const struct heap_class_stats *rows, size_t count)
{
    return (struct mallinfo2){
        .arena = stats->mapped_bytes,
        .ordblks = free_blocks(rows, count),
        .hblks = stats->direct_blocks,
        .hblkhd = stats->direct_bytes,
        .uordblks = stats->live_block_bytes,
        .fordblks = difference(stats->mapped_bytes, stats->live_block_bytes),
        .keepcost = stats->free_dirty_bytes, // what malloc_trim(0) would return
    };
}

static int saturated(size_t value)
{
    return value > INT_MAX ? INT_MAX : (int)value;
}

struct mallinfo figures_saturated(const struct mallinfo2 *wide)
{
    return (struct mallinfo){
        .arena = saturated(wide->arena),
        .ordblks = saturated(wide->ordblks),
        .smblks = saturated(wide->smblks),
        .hblks = saturated(wide->hblks),
        .hblkhd = saturated(wide->hblkhd),
        .usmblks = saturated(wide->usmblks),
        .fsmblks = saturated(wide->fsmblks),
        .uordblks = saturated(wide->uordblks),
        .fordblks = saturated(wide->fordblks),
        .keepcost = saturated(wide->keepcost),
    };
}
