#include "report/amount.h"
#include "report/letters.h"
#include "report/parts.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROWS_MAX = 40,
    PATHS_MAX = 8,
    SHARE_COLUMNS = 7, // " 100 %" and a space
    CHAIN_MAX = 32,    // callers that are looked at; a line holds fewer
};

size_t part_value_end(const struct line *line)
{
    return line->style.is_exact ? 17 : 11;
}

void part_value(const struct line *line, const struct figures *figures, enum figures_key key,
                char text[static 32])
{
    const int64_t value = figures_value(figures, key);
    static_assert(AMOUNT_SIZE == 32, "the size of the text");
    if (key == FIGURES_ALLOCATIONS || key == FIGURES_TEMPORARY) {
        amount_count(text, (uint64_t)value, line->style.is_exact);
    } else {
        amount_bytes(text, value, line->style.is_exact);
    }
}

void part_place(const struct profile *profile, const struct profile_line *code, char *text,
                size_t size)
{
    const struct profile_function *function = &profile->functions[code->function];
    const char *slash = strrchr(code->file, '/');
    const char *file = slash ? slash + 1 : code->file;
    if (*file && code->line > 0) {
        (void)snprintf(text, size, "%s:%u", file, code->line);
    } else if (*file) {
        (void)snprintf(text, size, "%s", file);
    } else if (!function->is_nameless && function->module != PROFILE_NONE) {
        (void)snprintf(text, size, "%s", profile->modules[function->module].name);
    } else if (size > 0) {
        *text = '\0';
    }
}

static void put_row(struct line *line, const struct profile *profile, const struct profile_row *row,
                    enum figures_key key)
{
    char text[AMOUNT_SIZE];
    part_value(line, &row->figures, key, text);
    line_put_right(line, INK_PLAIN, text, part_value_end(line));
    amount_share(text, figures_value(&row->figures, key), figures_value(&profile->totals, key));
    line_put_right(line, INK_PLAIN, text, part_value_end(line) + SHARE_COLUMNS);
    line_go(line, part_value_end(line) + SHARE_COLUMNS + 2);
    if (line->spaces == 0) line_go(line, line->column + 1); // behind a number too wide

    char place[256] = "";
    if (row->line != PROFILE_NONE) {
        part_place(profile, &profile->lines[row->line], place, sizeof place);
    }
    char shown[sizeof place];
    letters_show(place, line->style.has_unicode, shown, sizeof shown - LETTERS_SPARE);
    letters_cut(shown, 28, line->style.has_unicode);
    const size_t place_columns = *shown ? letters_width(shown) + 2 : 0;
    line_put_within(line, INK_BOLD, profile->functions[row->function].name,
                    LINE_COLUMNS - place_columns);
    line_put_right(line, INK_DIM, shown, LINE_COLUMNS);
    line_end(line);
}

// The names of a path's callers that are no wrappers, the nearest first; a function that calls
// itself stands once.
static size_t callers_of(const struct profile *profile, const struct profile_path *path,
                         const char **names_out, size_t max)
{
    struct profile_walk walk = profile_walk_callers(profile, path);
    const char *before = profile->functions[profile->rows[path->row].function].name;
    size_t count = 0;
    for (uint32_t at = profile_walk_next(&walk); at != PROFILE_NONE && count < max;
         at = profile_walk_next(&walk)) {
        const struct profile_function *function = &profile->functions[profile->lines[at].function];
        const uint32_t module = profile->frames[walk.frame].module;
        if (function->is_wrapper || function->name == before) continue;
        if (module != PROFILE_NONE && profile->modules[module].is_wrapper) continue;
        if (strcmp(function->name, "_start") == 0) continue;
        before = function->name;
        names_out[count++] = before;
    }
    return count;
}

// "← near ← far", as many as fit; what does not is a mark, and the outermost comes last.
static void put_callers(struct line *line, const char *const *names, size_t count)
{
    const bool has_unicode = line->style.has_unicode;
    const char *arrow = has_unicode ? "← " : "<- ";
    const size_t arrow_columns = letters_width(arrow);
    const char *more = has_unicode ? "…" : "..";
    const size_t name_columns = 30; // of one caller; more would leave no room for the others
    for (size_t i = 0; i < count; i++) {
        const size_t size = strlen(names[i]) + 1;
        char *shown = malloc(size + LETTERS_SPARE);
        if (!shown) return;
        letters_show(names[i], has_unicode, shown, size);
        letters_cut(shown, name_columns, has_unicode);
        const size_t columns = letters_width(shown) + arrow_columns;
        // Behind each but the last there must be room for the mark.
        const size_t spare = i + 1 < count ? 1 + arrow_columns + letters_width(more) : 0;
        const bool fits = line->column + columns + spare <= LINE_COLUMNS;
        line_put(line, INK_DIM, arrow);
        line_put(line, INK_DIM, fits ? shown : more);
        free(shown);
        if (!fits) return;
        line_go(line, line->column + 1);
    }
}

static void put_path(struct line *line, const struct profile *profile,
                     const struct profile_path *path, enum figures_key key, bool is_all)
{
    char text[AMOUNT_SIZE];
    part_value(line, &path->figures, key, text);
    if (!is_all) line_put_right(line, INK_DIM, text, part_value_end(line));
    line_go(line, part_value_end(line) + SHARE_COLUMNS + 3);
    const char *names[CHAIN_MAX];
    const size_t count = callers_of(profile, path, names, CHAIN_MAX);
    put_callers(line, names, count);
    if (count == 0) line_put(line, INK_DIM, "from the outermost frame");
    line_end(line);
}

// The paths of a row that are worth a line: those with callers, and of several those with a tenth
// of the row at least.
static size_t paths_choose(const struct profile *profile, const struct profile_row *row,
                           enum figures_key key, uint32_t *order, size_t max)
{
    const char *names[1];
    if (max > PATHS_MAX) max = PATHS_MAX;
    const size_t count = profile_rank_paths(profile, row, key, order, max);
    const int64_t least = figures_value(&row->figures, key) / 10;
    size_t kept = 0;
    while (kept < count &&
           (kept == 0 || figures_value(&profile->paths[order[kept]].figures, key) >= least)) {
        kept++;
    }
    if (kept == 1 && callers_of(profile, &profile->paths[order[0]], names, 1) == 0) kept = 0;
    return kept;
}

size_t part_ranking_lines(const struct profile *profile, const struct part_ranking *ranking)
{
    uint32_t order[ROWS_MAX];
    const size_t max = ranking->count < ROWS_MAX ? ranking->count : ROWS_MAX;
    const size_t count = profile_rank_rows(profile, ranking->key, order, max);
    if (count == 0) return 0;
    size_t lines = 1 + count;
    for (size_t i = 0; i < count && ranking->paths > 0; i++) {
        uint32_t paths[PATHS_MAX];
        lines +=
            paths_choose(profile, &profile->rows[order[i]], ranking->key, paths, ranking->paths);
    }
    return lines;
}

void part_ranking(struct line *line, const struct profile *profile,
                  const struct part_ranking *ranking)
{
    uint32_t order[ROWS_MAX];
    const size_t max = ranking->count < ROWS_MAX ? ranking->count : ROWS_MAX;
    const size_t count = profile_rank_rows(profile, ranking->key, order, max);
    if (count == 0) return;
    line_put(line, INK_BOLD, ranking->title);
    line_end(line);
    for (size_t i = 0; i < count; i++) {
        const struct profile_row *row = &profile->rows[order[i]];
        put_row(line, profile, row, ranking->key);
        uint32_t paths[PATHS_MAX];
        const size_t path_count =
            ranking->paths > 0 ? paths_choose(profile, row, ranking->key, paths, ranking->paths)
                               : 0;
        for (size_t j = 0; j < path_count; j++) {
            put_path(line, profile, &profile->paths[paths[j]], ranking->key, row->path_count == 1);
        }
    }
}

void part_nothing(struct line *line, const struct profile *profile, enum figures_key key)
{
    const char *why = "each call site has 0";
    if (key == FIGURES_LOST && profile->leaks.state != PROFILE_LEAKS_SCANNED) {
        why = "nobody looked for what is lost";
    } else if (profile->sites_count == 0) {
        why = "there are no call sites";
    } else if (profile->sites_hidden == profile->sites_count) {
        why = "the filter leaves no call site";
    } else if (profile->sites_hidden > 0) {
        why = "each call site that the filter leaves has 0";
    }
    line_print(line, INK_NOTE, "Nothing to rank by %s: %s.", figures_key_names[key], why);
    line_end(line);
}
