#include "report/amount.h"
#include "report/parts.h"

#include <stdio.h>
#include <string.h>

enum { GRAPH_COLUMNS = 66, GRAPH_BEGIN = 13 }; // 9 for the scale, and its line

struct graph {
    uint64_t bytes[GRAPH_COLUMNS]; // the most that was live in each column's time
    uint64_t top;
    uint64_t end_ms;
};

static size_t column_of(const struct graph *graph, uint64_t time_ms)
{
    const double place = (double)time_ms / (double)graph->end_ms * GRAPH_COLUMNS;
    return place < GRAPH_COLUMNS ? (size_t)place : GRAPH_COLUMNS - 1;
}

static double column_begin(const struct graph *graph, size_t column)
{
    return (double)column / GRAPH_COLUMNS * (double)graph->end_ms;
}

static void raise(struct graph *graph, size_t column, uint64_t bytes)
{
    if (bytes > graph->bytes[column]) graph->bytes[column] = bytes;
    if (bytes > graph->top) graph->top = bytes;
}

// Each point is the end of an interval; it colours the columns that the interval covers, so that
// few points make steps and many make peaks.
static struct graph graph_of(const struct profile *profile)
{
    const struct profile_process *process = &profile->process;
    struct graph graph = {.end_ms = process->duration_ms};
    const size_t count = profile->timeline_count;
    if (graph.end_ms == 0) graph.end_ms = 1;
    uint64_t begin_ms = 0;
    for (size_t i = 0; i < count; i++) {
        const struct profile_point *point = &profile->timeline[i];
        size_t j = column_of(&graph, begin_ms);
        do {
            raise(&graph, j++, point->live_bytes);
        } while (j < GRAPH_COLUMNS && column_begin(&graph, j) < (double)point->time_ms);
        begin_ms = point->time_ms;
    }
    // Shorter than an interval it would not show.
    raise(&graph, column_of(&graph, process->peak_ms), process->peak_bytes);
    return graph;
}

// One cell, `level` of `steps` full.
static const char *cell(const struct line *line, unsigned level)
{
    static const char *const blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const letters[] = {" ", ".", ".", ".", ":", ":", ":", "|", "|"};
    return line->style.has_unicode ? blocks[level] : letters[level];
}

void part_cell(struct line *line, int64_t value, int64_t top)
{
    int level = 0;
    if (value > 0 && top > 0) level = 1 + (int)((double)value / (double)top * 7 + 0.5);
    // A space would be left out at the end of a line, and is as wide.
    line_put(line, INK_GRAPH, level > 8 ? cell(line, 8) : cell(line, (unsigned)level));
}

static void put_cells(struct line *line, const struct graph *graph, unsigned row)
{
    char cells[GRAPH_COLUMNS * 3 + 1] = "";
    size_t length = 0;
    size_t filled = 0;
    for (size_t i = 0; i < GRAPH_COLUMNS; i++) {
        const unsigned rows = row >> 8;
        const double share = graph->top > 0 ? (double)graph->bytes[i] / (double)graph->top : 0;
        // What is there shows, however little.
        int level = (int)(share * 8 * rows + 0.5);
        if (graph->bytes[i] > 0 && level == 0) level = 1;
        level -= (int)(row & 0xff) * 8;
        level = level < 0 ? 0 : level > 8 ? 8 : level;
        const char *text = cell(line, (unsigned)level);
        memcpy(cells + length, text, strlen(text));
        length += strlen(text);
        if (level > 0) filled = length;
    }
    cells[filled] = '\0';
    line_put(line, INK_GRAPH, cells);
}

void part_graph(struct line *line, const struct profile *profile, unsigned rows)
{
    const struct graph graph = graph_of(profile);
    char text[AMOUNT_SIZE];
    for (unsigned row = rows; row > 0; row--) {
        if (row == rows) {
            amount_bytes(text, (int64_t)graph.top, false);
            line_put_right(line, INK_DIM, text, GRAPH_BEGIN - 2);
        }
        line_go(line, GRAPH_BEGIN - 1);
        line_put(line, INK_DIM, line->style.has_unicode ? "│" : "|");
        put_cells(line, &graph, rows << 8 | (row - 1));
        line_end(line);
    }
    line_go(line, GRAPH_BEGIN);
    line_put(line, INK_DIM, "0 s");
    amount_time(text, graph.end_ms / 2, false);
    line_put_right(line, INK_DIM, text, GRAPH_BEGIN + GRAPH_COLUMNS / 2 + strlen(text) / 2);
    amount_time(text, graph.end_ms, false);
    line_put_right(line, INK_DIM, text, GRAPH_BEGIN + GRAPH_COLUMNS);
    line_end(line);
}
