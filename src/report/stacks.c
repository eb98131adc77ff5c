#include "report/amount.h"
#include "report/parts.h"

#include <stdio.h>
#include <stdlib.h>

static void put_bytes(struct line *line, const char *before, int64_t bytes, const char *after)
{
    char text[AMOUNT_SIZE];
    amount_bytes(text, bytes, line->style.is_exact);
    line_print(line, INK_PLAIN, "%s%s%s", before, text, after);
}

static void put_count(struct line *line, const char *before, uint64_t count, const char *after)
{
    char text[AMOUNT_SIZE];
    amount_count(text, count, line->style.is_exact);
    line_print(line, INK_PLAIN, "%s%s %s", before, text, after);
}

// The same of things; `noun` is one of them.
static void put_things(struct line *line, const char *before, uint64_t count, const char *noun)
{
    put_count(line, before, count, noun);
    line_put(line, INK_PLAIN, amount_plural(count));
}

// One frame's line; the one that names the row is marked.
static void put_frame(struct line *line, const struct profile *profile, uint32_t at, bool is_owner)
{
    const struct profile_line *code = &profile->lines[at];
    const struct profile_function *function = &profile->functions[code->function];
    line_go(line, 4);
    line_put(line, is_owner ? INK_BOLD : INK_DIM, is_owner ? "> " : "  ");
    line_put(line, is_owner ? INK_BOLD : INK_PLAIN, code->full);
    if (code->is_inlined) line_put(line, INK_DIM, " (inlined)");
    if (*code->file) {
        line_print(line, INK_DIM, "  %s", code->file);
        if (code->line > 0) line_print(line, INK_DIM, ":%u", code->line);
    } else if (!function->is_nameless && function->module != PROFILE_NONE) {
        line_print(line, INK_DIM, "  %s", profile->modules[function->module].name);
    }
    line_end(line);
}

void part_stack(struct line *line, const struct profile *profile, const struct profile_site *site)
{
    struct profile_walk walk = profile_walk_from(profile, site->node);
    uint32_t index = 0;
    if (*site->name) {
        line_go(line, 6);
        line_print(line, INK_BOLD, "[%s]", site->name);
        line_end(line);
    }
    for (uint32_t at = profile_walk_next(&walk); at != PROFILE_NONE;
         at = profile_walk_next(&walk)) {
        put_frame(line, profile, at, index++ == site->owner);
    }
    const char *end = profile_end_text(site->end);
    if (site->node == PROFILE_NONE || !end) return;
    line_go(line, 6);
    line_print(line, INK_NOTE, "(the stack goes on: %s)", end);
    line_end(line);
}

static void put_site_line(struct line *line, const struct profile *profile, uint32_t index)
{
    const struct figures *figures = &profile->sites[index].figures;
    line_go(line, 2);
    line_print(line, INK_BOLD, "site %u: ", index);
    put_bytes(line, "", figures->at_peak_bytes, " at the peak, ");
    put_bytes(line, "", figures->live_bytes, " left, ");
    put_bytes(line, "", figures_value(figures, FIGURES_BYTES), " in ");
    put_things(line, "", (uint64_t)figures_value(figures, FIGURES_ALLOCATIONS), "allocation");
    if (figures->temporary > 0) put_count(line, ", ", figures->temporary, "temporary");
    line_end(line);
}

// The sites of each row by falling value.
struct by_row {
    uint32_t *sites; // ranked
    uint32_t *first; // of each row, in `grouped`
    uint32_t *grouped;
    size_t count;
};

static bool group(const struct profile *profile, enum figures_key key, struct by_row *out)
{
    *out = (struct by_row){
        .sites = calloc(profile->sites_count + 1, sizeof *out->sites),
        .grouped = calloc(profile->sites_count + 1, sizeof *out->grouped),
        .first = calloc(profile->rows_count + 2, sizeof *out->first),
    };
    if (!out->sites || !out->grouped || !out->first) return false;
    out->count = profile_rank_sites(profile, key, out->sites, profile->sites_count);
    // first[row + 2] counts, then first[row + 1] runs from the row's beginning to its end.
    for (size_t i = 0; i < out->count; i++) {
        const uint32_t row = profile->sites[out->sites[i]].row;
        if (row + 2 < profile->rows_count + 2) out->first[row + 2]++;
    }
    for (size_t i = 2; i < profile->rows_count + 2; i++) out->first[i] += out->first[i - 1];
    for (size_t i = 0; i < out->count; i++) {
        const uint32_t row = profile->sites[out->sites[i]].row;
        out->grouped[out->first[row + 1]++] = out->sites[i];
    }
    return true;
}

static void put_row_in_full(struct line *line, const struct profile *profile, uint32_t row,
                            const struct by_row *by_row, enum figures_key key)
{
    char text[AMOUNT_SIZE];
    const struct profile_row *figures = &profile->rows[row];
    part_value(line, &figures->figures, key, text);
    line_put_right(line, INK_BOLD, text, part_value_end(line));
    amount_share(text, figures_value(&figures->figures, key), figures_value(&profile->totals, key));
    line_put_right(line, INK_PLAIN, text, part_value_end(line) + 7);
    line_go(line, line->column + 2);
    line_put(line, INK_BOLD, profile->functions[figures->function].name);
    line_end(line);
    for (uint32_t i = by_row->first[row]; i < by_row->first[row + 1]; i++) {
        put_site_line(line, profile, by_row->grouped[i]);
        part_stack(line, profile, &profile->sites[by_row->grouped[i]]);
    }
    line_end(line);
}

void report_stacks(FILE *out, struct report_style style, const struct report_subject *subject,
                   enum figures_key key)
{
    const struct profile *profile = subject->profile;
    struct line line = {.out = out, .style = style};
    struct by_row by_row;
    uint32_t *rows = calloc(profile->rows_count + 1, sizeof *rows);
    if (group(profile, key, &by_row) && rows) {
        const size_t count = profile_rank_rows(profile, key, rows, profile->rows_count);
        for (size_t i = 0; i < count; i++) {
            put_row_in_full(&line, profile, rows[i], &by_row, key);
        }
        if (count == 0) {
            part_nothing(&line, profile, key);
            line_end(&line);
        }
    } else {
        line_put(&line, INK_NOTE, "There is not enough memory to list the stacks.");
        line_end(&line);
    }
    free(rows);
    free(by_row.sites);
    free(by_row.first);
    free(by_row.grouped);
    if (part_notes(NULL, subject) > 0) (void)part_notes(&line, subject);
}

void report_full(FILE *out, struct report_style style, const struct report_subject *subject,
                 enum figures_key key)
{
    struct line line = {.out = out, .style = style};
    part_head(&line, subject);
    line_end(&line);
    part_figures(&line, subject);
    line_end(&line);
    report_stacks(out, style, subject, key);
}

// --- one site

static void put_named(struct line *line, const char *name)
{
    line_go(line, 2);
    line_put(line, INK_PLAIN, name);
    line_go(line, 17);
}

static void put_sizes(struct line *line, const struct profile *profile,
                      const struct profile_site *site)
{
    uint64_t sizes[PROFILE_SIZES];
    profile_site_sizes(profile, site, sizes);
    for (size_t i = 0; i < PROFILE_SIZES; i++) {
        char text[AMOUNT_SIZE];
        char count[AMOUNT_SIZE];
        if (sizes[i] == 0) continue;
        const bool is_last = i + 1 == PROFILE_SIZES;
        amount_bytes(text, (int64_t)16 << (is_last ? i - 1 : i), line->style.is_exact);
        amount_count(count, sizes[i], line->style.is_exact);
        line_go(line, 17);
        line_print(line, INK_PLAIN, "%s %s: %s", is_last ? "above" : "up to", text, count);
        line_end(line);
    }
}

static void put_figures(struct line *line, const struct profile_site *site)
{
    const struct figures *figures = &site->figures;
    put_named(line, "at the peak");
    put_bytes(line, "", figures->at_peak_bytes, "");
    put_things(line, " in ", (uint64_t)figures->at_peak_blocks, "block");
    put_bytes(line, ", ", figures->at_peak_wasted, " added by rounding");
    line_end(line);
    put_named(line, "its own peak");
    put_bytes(line, site->is_peak_exact ? "" : "at least ", site->peak_bytes, "");
    line_end(line);
    put_named(line, "left");
    put_bytes(line, "", figures->live_bytes, "");
    put_things(line, " in ", (uint64_t)figures->live_blocks, "block");
    line_end(line);
    put_named(line, "allocated");
    put_bytes(line, "", figures_value(figures, FIGURES_BYTES), "");
    const int64_t allocations = figures_value(figures, FIGURES_ALLOCATIONS);
    put_things(line, " in ", (uint64_t)allocations, "allocation");
    put_count(line, ", ", figures->temporary, "temporary");
    if (figures->inherited > 0) put_count(line, "; ", figures->inherited, "before the fork");
    line_end(line);
}

static void put_reallocations(struct line *line, const struct profile_site *site)
{
    if (site->figures.reallocations == 0) return;
    put_named(line, "reallocations");
    put_things(line, "", site->figures.reallocations, "step");
    put_bytes(line, " of ", site->step_min, "");
    put_bytes(line, " to ", site->step_max, "");
    line_end(line);
}

static void put_times(struct line *line, const struct profile *profile,
                      const struct profile_site *site)
{
    char text[AMOUNT_SIZE];
    put_named(line, "seen");
    amount_time(text, site->first_ms, line->style.is_exact);
    line_print(line, INK_PLAIN, "from %s", text);
    amount_time(text, site->last_ms, line->style.is_exact);
    line_print(line, INK_PLAIN, " to %s", text);
    line_end(line);

    put_named(line, "threads");
    uint32_t threads[PROFILE_SITE_THREADS];
    const size_t count = profile_site_threads(profile, site, threads);
    for (size_t i = 0; i < count && line->column < LINE_COLUMNS - 16; i++) {
        const bool is_known = threads[i] != PROFILE_NONE;
        const struct profile_thread *thread = is_known ? &profile->threads[threads[i]] : NULL;
        line_put(line, INK_PLAIN, i > 0 ? ", " : "");
        line_put(line, INK_PLAIN, !thread ? "several" : *thread->name ? thread->name : "thread");
        if (thread) line_print(line, INK_DIM, " %u", thread->tid);
    }
    if (site->thread_count > 1) line_print(line, INK_DIM, " (%u)", site->thread_count);
    line_end(line);
}

static void put_over_time(struct line *line, const struct profile *profile,
                          const struct profile_site *site)
{
    if (profile->point_count == 0) return;
    int64_t points[PROFILE_POINTS_MAX];
    profile_over_time(profile, site, points);
    int64_t top = 0;
    for (size_t i = 0; i < profile->point_count; i++) top = points[i] > top ? points[i] : top;
    put_named(line, "live");
    for (size_t i = 0; i < profile->point_count; i++) part_cell(line, points[i], top);
    line_end(line);
    char text[AMOUNT_SIZE];
    amount_time(text, profile->interval_ms, line->style.is_exact);
    line_go(line, 17);
    line_print(line, INK_DIM, "each %s, at most ", text);
    amount_bytes(text, top, line->style.is_exact);
    line_put(line, INK_DIM, text);
    line_end(line);
}

void report_site(FILE *out, struct report_style style, const struct report_subject *subject,
                 size_t index)
{
    const struct profile *profile = subject->profile;
    const struct profile_site *site = &profile->sites[index];
    struct line line = {.out = out, .style = style};
    line_print(&line, INK_BOLD, "site %zu", index);
    line_print(&line, INK_DIM, " of %zu in ", profile->sites_count);
    line_put(&line, INK_DIM, subject->path);
    line_end(&line);
    if (site->row != PROFILE_NONE && site->node == PROFILE_NONE) {
        line_go(&line, 4);
        line_put(&line, INK_BOLD, profile->functions[profile->rows[site->row].function].name);
        line_end(&line);
    }
    part_stack(&line, profile, site);
    line_end(&line);
    put_figures(&line, site);
    put_reallocations(&line, site);
    put_times(&line, profile, site);
    put_named(&line, "sizes");
    put_bytes(&line, "from ", (int64_t)site->size_min, "");
    put_bytes(&line, " to ", (int64_t)site->size_max, "");
    line_end(&line);
    put_sizes(&line, profile, site);
    put_over_time(&line, profile, site);
}
