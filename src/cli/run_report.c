#include "cli/run_report.h"

#include "cli/output.h"
#include "cli/style.h"

#include <stdlib.h>

static void print(struct tree *tree, const struct run_subject *subjects,
                  const struct summary_options *options, FILE *out)
{
    for (size_t i = 0; i < tree->report.count; i++) {
        tree->subjects[i].life = subjects[i].is_alive ? REPORT_RUNNING : REPORT_OVER;
    }
    const struct report_style style = style_of(out, false);
    if (options->is_full) report_stacks(out, style, &tree->report.subjects[0], FIGURES_PEAK);
    if (options->lists_leaks) report_leaks(out, style, &tree->report, true);
    report_summary(out, style, &tree->report, FIGURES_KEY_COUNT);
}

bool run_report(const struct run_subjects *subjects, const struct summary_options *options,
                FILE *out)
{
    const size_t count = subjects->count;
    const char **paths = calloc(count, sizeof *paths);
    if (!paths) {
        say("run: out of memory");
        return false;
    }
    for (size_t i = 0; i < count; i++) paths[i] = subjects->all[i].path;
    const struct profile_options profile = {
        .skips = options->skips.patterns,
        .skip_count = options->skips.count,
        .suppressions = options->suppressions,
    };
    struct tree tree;
    const bool is_open = tree_open(&tree, "run", paths, count, &profile, &subjects->known) == 0;
    if (is_open) {
        tree.report.unlisted = subjects->unlisted;
        tree.report.started = subjects->started;
        tree.report.options = &profile;
        tree.report.lines_before = output_lines_said();
        print(&tree, subjects->all, options, out);
        tree_close(&tree);
    }
    free(paths);
    return is_open;
}
