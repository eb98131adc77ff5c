#include "cli/run_summary.h"

bool run_summarize(const struct run_result *result, const struct summary_options *options,
                   FILE *out)
{
    (void)options; // for the report that is to stand here
    const struct recordings *recordings = result->recordings;
    if (result->absence) fprintf(out, "mete: no recording was made: %s\n", result->absence);
    if (result->gap) fprintf(out, "mete: not everything was seen: %s\n", result->gap);
    enum { OTHERS_SHOWN = 10 };
    size_t shown = 0;
    for (size_t i = 0; i < recordings->count; i++) {
        const struct recording *item = &recordings->items[i];
        if (item->is_dropped || item->is_alive) continue;
        if (!item->is_main && shown++ >= OTHERS_SHOWN) continue;
        fprintf(out, "mete: recorded %s, pid %d, in %s\n",
                item->is_main ? "the program" : "another", (int)item->pid, item->path);
    }
    if (shown > OTHERS_SHOWN) {
        fprintf(out, "mete: and %zu more\n", shown - OTHERS_SHOWN);
    }
    return result->absence != NULL || result->is_replaced;
}
