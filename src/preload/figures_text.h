// Figures text: the heap's figures as malloc_info() and malloc_stats() show them.
// Pure functions of their arguments: a line at a time into a sink, without stdio and locale.
#pragma once

#include "heap/heap.h"

#include <malloc.h>
#include <stddef.h>

// Receives one line, with its newline and a terminating 0.
typedef void (*figures_sink)(void *context, const char *line, size_t length);

// glibc's document (version 1) with our figures: one heap, whose <size> elements are free blocks,
// and for each size class with spans a <class> element of our own.
void figures_xml(const struct heap_stats *stats, const struct heap_class_stats *rows, size_t count,
                 figures_sink sink, void *context);

// The lines of malloc_stats(): first glibc's, with its labels, since programs look for them; the
// heap is one arena, whatever the number of threads. Then ours. Of the mappings alone the heap
// keeps no peak: what glibc calls "max" tells what there is now, the least it can have been.
void figures_lines(const struct heap_stats *stats, figures_sink sink, void *context);

// glibc's structure: arena == uordblks + fordblks; blocks with mappings of their own are in hblk*.
struct mallinfo2 figures_mallinfo(const struct heap_stats *stats,
                                  const struct heap_class_stats *rows, size_t count);

// The older structure of ints: what does not fit is INT_MAX rather than a wrapped number.
struct mallinfo figures_saturated(const struct mallinfo2 *wide);
