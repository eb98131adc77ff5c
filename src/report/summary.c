#include "report/amount.h"
#include "report/parts.h"
#include "report/shell_word.h"

#include <stdlib.h>
#include <string.h>

// How much of each part there is; the first plan that fits is taken.
struct plan {
    unsigned graph;
    size_t peak_rows;
    size_t peak_paths;
    size_t lost_rows; // where there are any, which is worth more than how often others allocate
    size_t allocation_rows;
    size_t temporary_rows;
};

static const struct plan plans[] = {
    {4, 6, 2, 4, 4, 4}, {4, 5, 2, 4, 4, 3}, {4, 5, 2, 4, 3, 3}, {4, 5, 1, 4, 3, 3},
    {3, 5, 1, 4, 3, 3}, {3, 5, 1, 3, 3, 2}, {3, 4, 1, 3, 3, 2}, {2, 4, 1, 3, 2, 2},
    {2, 3, 1, 3, 2, 2}, {2, 3, 1, 3, 2, 1}, {2, 3, 1, 3, 1, 1}, {1, 3, 1, 3, 1, 0},
    {1, 2, 1, 2, 1, 0}, {1, 2, 0, 1, 0, 0}, {0, 1, 0, 0, 0, 0},
};

// A section with one ranking alone.
static const char *const titles[FIGURES_KEY_COUNT] = {
    [FIGURES_PEAK] = "Who held the peak",
    [FIGURES_LIVE] = "Who holds what is live",
    [FIGURES_BYTES] = "Who allocated most bytes",
    [FIGURES_ALLOCATIONS] = "Who allocated most often",
    [FIGURES_TEMPORARY] = "Who allocated for a moment: freed by the thread's next call",
    [FIGURES_WASTED] = "Whose sizes rounding made larger, at the peak",
    [FIGURES_LEFT] = "Who left what was not freed",
    [FIGURES_LOST] = "Who lost what nothing leads to any more",
};

struct layout {
    unsigned graph;
    struct part_ranking rankings[4];
    size_t ranking_count;
};

static struct part_ranking ranking_by(enum figures_key key, size_t count, size_t paths)
{
    return (struct part_ranking){.key = key, .title = titles[key], .count = count, .paths = paths};
}

static size_t layout_lines(const struct profile *profile, const struct layout *layout)
{
    size_t lines = layout->graph > 0 ? layout->graph + 2 : 0;
    for (size_t i = 0; i < layout->ranking_count; i++) {
        const size_t more = part_ranking_lines(profile, &layout->rankings[i]);
        if (more > 0) lines += more + 1;
        if (more == 0 && layout->ranking_count == 1) lines += 2; // says why
    }
    return lines;
}

static struct layout layout_choose(const struct profile *profile, enum figures_key key, size_t room)
{
    const bool has_graph = profile->timeline_count > 0;
    struct layout layout = {0};
    if (key != FIGURES_KEY_COUNT) {
        // One ranking, as long as there is room.
        layout.graph = has_graph && room > 12 ? 2 : 0;
        layout.ranking_count = 1;
        for (size_t paths = 2;; paths--) {
            for (size_t count = 20; count > 0; count--) {
                layout.rankings[0] = ranking_by(key, count, paths);
                const bool is_enough = count >= 8 || paths == 0;
                if (is_enough && layout_lines(profile, &layout) <= room) return layout;
            }
            if (paths == 0) return layout;
        }
    }
    layout.ranking_count = 4;
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        const struct plan *plan = &plans[i];
        layout.graph = has_graph ? plan->graph : 0;
        layout.rankings[0] = ranking_by(FIGURES_PEAK, plan->peak_rows, plan->peak_paths);
        layout.rankings[1] = ranking_by(FIGURES_LOST, plan->lost_rows, plan->peak_paths > 0);
        layout.rankings[2] = ranking_by(FIGURES_ALLOCATIONS, plan->allocation_rows, 0);
        layout.rankings[3] = ranking_by(FIGURES_TEMPORARY, plan->temporary_rows, 0);
        if (layout_lines(profile, &layout) <= room) break;
    }
    return layout;
}

// --- children

static size_t children_count(const struct report_tree *tree)
{
    return tree->count - 1 + tree->unlisted;
}

// Of these, those that have a line: all, or one line is for those that do not fit. Half as many
// where much stands before.
static size_t children_shown(const struct report_tree *tree)
{
    const size_t children = children_count(tree);
    const bool is_crowded = tree->lines_before > REPORT_CHILDREN_MAX;
    const size_t max = is_crowded ? REPORT_CHILDREN_MAX / 2 : REPORT_CHILDREN_MAX;
    const size_t fit = children <= max ? children : max - 1;
    return fit < tree->count - 1 ? fit : tree->count - 1;
}

size_t part_children_lines(const struct report_tree *tree)
{
    const size_t children = children_count(tree);
    if (children == 0) return 0;
    const size_t shown = children_shown(tree);
    return 1 + shown + (shown < children);
}

static size_t left_end(const struct line *line)
{
    return part_value_end(line) + (line->style.is_exact ? 16 : 11);
}

static size_t count_end(const struct line *line)
{
    return left_end(line) + (line->style.is_exact ? 12 : 14);
}

static void put_child(struct line *line, const struct report_subject *child)
{
    const struct profile *profile = child->profile;
    const bool is_exact = line->style.is_exact;
    char text[AMOUNT_SIZE];
    amount_bytes(text, (int64_t)profile->process.peak_bytes, is_exact);
    line_put_right(line, INK_PLAIN, text, part_value_end(line));
    amount_bytes(text, profile->totals.live_bytes, is_exact);
    line_put_right(line, INK_PLAIN, text, left_end(line));
    const int64_t allocations = figures_value(&profile->totals, FIGURES_ALLOCATIONS);
    amount_count(text, (uint64_t)allocations, is_exact);
    line_put_right(line, INK_PLAIN, text, count_end(line));
    line_go(line, line->column + 2);

    char ending[64];
    part_ending(child, PART_IN_SHORT, ending, sizeof ending);
    // A forked one held from the beginning what its parent did.
    const char *forked = profile->process.inherits_from_pid ? ", forked" : "";
    char pid[32];
    const int pid_len = snprintf(pid, sizeof pid, " %u%s", profile->process.pid, forked);
    char lost[AMOUNT_SIZE + 16] = "";
    if (profile->totals.lost_blocks > 0) {
        amount_bytes(text, (int64_t)profile->totals.lost_bytes, is_exact);
        (void)snprintf(lost, sizeof lost, ", lost %s", text);
    }
    const size_t taken = strlen(ending) + 1 + (size_t)pid_len + strlen(lost);
    line_put_begin(line, INK_BOLD, part_program(profile), LINE_COLUMNS - taken);
    line_put(line, INK_DIM, pid);
    line_put(line, INK_NOTE, lost);
    line_put_right(line, INK_DIM, ending, LINE_COLUMNS);
    line_end(line);
}

void part_children(struct line *line, const struct report_tree *tree)
{
    const size_t children = children_count(tree);
    if (children == 0) return;
    line_put_right(line, INK_DIM, "peak", part_value_end(line));
    line_put_right(line, INK_DIM, "left", left_end(line));
    line_put_right(line, INK_DIM, "allocations", count_end(line));
    line_go(line, line->column + 2);
    line_put(line, INK_BOLD, "Children");
    line_end(line);
    const size_t shown = children_shown(tree);
    for (size_t i = 1; i <= shown; i++) put_child(line, &tree->subjects[i]);
    if (shown == children) return;
    line_go(line, count_end(line) + 2);
    line_print(line, INK_DIM, "and %zu more", children - shown);
    line_end(line);
}

// --- the foot

static void put_word(struct line *line, enum ink ink, const char *text)
{
    char *word = shell_word(text, line->style.has_unicode);
    line_put(line, ink, word ? word : text);
    free(word);
}

static void put_path(struct line *line, enum ink ink, const char *path)
{
    if (*path == '-') line_put(line, ink, "./"); // else it would be an option
    put_word(line, ink, path);
}

// Each file once: what it holds stands together.
static void put_suppressions(struct line *line, const struct suppressions *list)
{
    const char *before = "";
    for (size_t i = 0; list && i < list->count; i++) {
        const struct suppression *one = &list->all[i];
        if (one->origin != SUPPRESSION_OF_FILE || strcmp(one->source, before) == 0) continue;
        before = one->source;
        line_put(line, INK_PLAIN, "--suppressions=");
        put_word(line, INK_PLAIN, before);
        line_put(line, INK_PLAIN, " ");
    }
}

// What was asked for and would change the next answer, too.
static void put_options(struct line *line, const struct profile_options *options)
{
    if (line->style.is_exact) line_put(line, INK_PLAIN, "--exact ");
    if (!options) return;
    if (options->filter) {
        line_put(line, INK_PLAIN, "--filter=");
        put_word(line, INK_PLAIN, options->filter);
        line_put(line, INK_PLAIN, " ");
    }
    put_suppressions(line, options->suppressions);
    for (size_t i = 0; i < options->skip_count; i++) {
        line_put(line, INK_PLAIN, "--skip=");
        put_word(line, INK_PLAIN, options->skips[i]);
        line_put(line, INK_PLAIN, " ");
    }
}

void part_foot(struct line *line, const struct report_tree *tree, enum figures_key key)
{
    const struct report_subject *main = &tree->subjects[0];
    const struct profile *profile = main->profile;
    char text[AMOUNT_SIZE];
    amount_bytes(text, (int64_t)profile->file_space, line->style.is_exact);
    line_put(line, INK_DIM, "recording  ");
    put_path(line, INK_PLAIN, main->path);
    line_print(line, INK_DIM, "  %s%s", text, line->style.is_exact ? " bytes" : "");
    line_end(line);
    // Much that is left is worth a look, where nobody asked for something else; else each stack is.
    const bool is_asked = key != FIGURES_KEY_COUNT;
    const bool is_left = !is_asked && profile->process.state != PROFILE_RUNNING &&
                         profile->totals.live_bytes > (int64_t)(profile->process.peak_bytes / 2);
    // Some interpreters lose a little at their end, and need not mind.
    const bool is_lost = !is_asked && profile->totals.lost_bytes > profile->process.peak_bytes / 16;
    line_put(line, INK_DIM, "next       ");
    if (is_lost) line_put(line, INK_PLAIN, "mete leaks ");
    if (!is_lost)
        line_print(line, INK_PLAIN, "mete report %s ", is_left ? "--sort=left" : "--full");
    if (is_asked) line_print(line, INK_PLAIN, "--sort=%s ", figures_key_names[key]);
    put_options(line, tree->options);
    put_path(line, INK_PLAIN, main->path);
    line_end(line);
}

// --- all of it

void report_summary(FILE *out, struct report_style style, const struct report_tree *tree,
                    enum figures_key key)
{
    struct line line = {.out = out, .style = style};
    const struct report_subject *main = &tree->subjects[0];
    const size_t notes = part_notes(NULL, main);
    const size_t children = part_children_lines(tree);
    size_t taken = tree->lines_before + 2 + part_started(NULL, tree) + 1 +
                   part_figures_lines(main->profile) + 1 + PART_FOOT_LINES;
    taken += part_damage(NULL, main->profile) + (notes > 0 ? notes + 1 : 0);
    taken += children > 0 ? children + 1 : 0;
    const size_t room = taken < REPORT_LINES_MAX ? REPORT_LINES_MAX - taken : 0;
    const struct layout layout = layout_choose(main->profile, key, room);

    part_head(&line, main);
    (void)part_started(&line, tree);
    line_end(&line);
    part_figures(&line, main);
    line_end(&line);
    if (layout.graph > 0) {
        part_graph(&line, main->profile, layout.graph);
        line_end(&line);
    }
    for (size_t i = 0; i < layout.ranking_count; i++) {
        const bool has_rows = part_ranking_lines(main->profile, &layout.rankings[i]) > 0;
        if (!has_rows && key == FIGURES_KEY_COUNT) continue;
        if (has_rows) part_ranking(&line, main->profile, &layout.rankings[i]);
        if (!has_rows) part_nothing(&line, main->profile, key);
        line_end(&line);
    }
    if (children > 0) {
        part_children(&line, tree);
        line_end(&line);
    }
    if (notes > 0) {
        (void)part_notes(&line, main);
        line_end(&line);
    }
    part_foot(&line, tree, key);
}
