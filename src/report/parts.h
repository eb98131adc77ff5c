// Parts: what the summary and the full report are put together from. Each writes whole lines. For
// the report room alone.
#pragma once

#include "report/report.h"

// What ran, and how it ended: two lines, and part_damage().
void part_head(struct line *line, const struct report_subject *subject);
// Who started the main one, where that was another: a line or none. A NULL line only counts.
size_t part_started(struct line *line, const struct report_tree *tree);
// How it ended, in words: "status 0", "killed by SIGKILL"; in columns, in few of them.
enum part_words { PART_IN_FULL, PART_IN_SHORT };
void part_ending(const struct report_subject *subject, enum part_words words, char *text,
                 size_t size);
// The program's own name, or the first argument's.
const char *part_program(const struct profile *profile);

// Peak, what is left, what of it is lost where that was asked for, allocations, rounding.
size_t part_figures_lines(const struct profile *profile);
void part_figures(struct line *line, const struct report_subject *subject);

// A number where all numbers of the summary stand, and what it is.
void part_figure(struct line *line, const char *value, const char *name);

// What a look for leaks has found, or why there was none: a line.
void part_lost(struct line *line, const struct report_subject *subject);

// A site's stack, a line a frame; the one that names its row is marked. The name under which memory
// is tracked comes before.
void part_stack(struct line *line, const struct profile *profile, const struct profile_site *site);

// The timeline, `rows` lines high and one for the time.
void part_graph(struct line *line, const struct profile *profile, unsigned rows);

// One column of a graph that is one line high.
void part_cell(struct line *line, int64_t value, int64_t top);

// A title, and `count` rows with up to `paths` paths each.
struct part_ranking {
    enum figures_key key;
    const char *title;
    size_t count;
    size_t paths;
};
void part_ranking(struct line *line, const struct profile *profile,
                  const struct part_ranking *ranking);
// How many lines that takes.
size_t part_ranking_lines(const struct profile *profile, const struct part_ranking *ranking);

// Why a ranking that was asked for has no rows: one line.
void part_nothing(struct line *line, const struct profile *profile, enum figures_key key);

// What the recording lacks: before all that is said of it. A NULL line only counts.
size_t part_damage(struct line *line, const struct profile *profile);

// Frames without names, what was lost, what the filter hides. A NULL line only counts.
size_t part_notes(struct line *line, const struct report_subject *subject);

// A title and a line per child.
size_t part_children_lines(const struct report_tree *tree);
void part_children(struct line *line, const struct report_tree *tree);

// The recording and the next command.
enum { PART_FOOT_LINES = 2 };
void part_foot(struct line *line, const struct report_tree *tree, enum figures_key key);

// Where numbers end and names begin, in rankings and lists.
size_t part_value_end(const struct line *line);

// A value of a key as it is shown.
void part_value(const struct line *line, const struct figures *figures, enum figures_key key,
                char text[static 32]);

// A line of code as "file:line" with the file's last name, or its module's name, or "".
void part_place(const struct profile *profile, const struct profile_line *code, char *text,
                size_t size);
