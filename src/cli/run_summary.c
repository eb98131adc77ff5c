#include "cli/run_summary.h"

#include "cli/output.h"
#include "cli/run_report.h"

#include <stdlib.h>

static struct run_subject subject_of(const struct recording *item)
{
    return (struct run_subject){.path = item->path, .is_alive = item->is_alive};
}

// The main program's first, then the others in their order. False for want of memory.
static bool list(const struct run_result *result, struct run_subject **subjects_out,
                 size_t *count_out)
{
    const struct recordings *recordings = result->recordings;
    struct run_subject *subjects = calloc(recordings->count + 1, sizeof *subjects);
    if (!subjects) return false;
    size_t count = 0;
    const size_t main = result->main;
    if (main < recordings->count) subjects[count++] = subject_of(&recordings->items[main]);
    for (size_t i = 0; i < recordings->count; i++) {
        const struct recording *item = &recordings->items[i];
        if (i != main && !item->is_dropped) subjects[count++] = subject_of(item);
    }
    *subjects_out = subjects;
    *count_out = count;
    return true;
}

bool run_summarize(const struct run_result *result, const struct summary_options *options,
                   FILE *out)
{
    if (result->absence) fprintf(out, "mete: no recording was made: %s\n", result->absence);
    if (result->gap) fprintf(out, "mete: not everything was seen: %s\n", result->gap);
    struct run_subject *subjects = NULL;
    size_t count = 0;
    if (!list(result, &subjects, &count)) say("run: out of memory");
    if (count > 0) (void)run_report(subjects, count, options, out); // it has said why
    free(subjects);
    return result->absence != NULL || result->is_replaced;
}
