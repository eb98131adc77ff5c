#include "cli/run_summary.h"

#include "cli/listing.h"
#include "cli/output.h"
#include "cli/run_report.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// Lines on which it is told what was not seen; the last may be the first of four.
enum { SAID_MAX = 10 };

// Whether the program that the command ended as left a recording.
static bool ends_in_one(const struct run_result *result)
{
    return result->started < result->recordings->count && !result->shortfall.is_replaced;
}

// What was not seen, as far as the page has room for it.
static void tell_shortfall(const struct shortfall *shortfall, bool has_none, FILE *out)
{
    const char *begin = has_none ? "no recording was made" : "not everything was seen";
    const size_t count = shortfall->count;
    size_t told = 0;
    // That there is one more would take a line, too.
    while (told < count && (told == 0 || told + 1 == count || output_lines_said() < SAID_MAX)) {
        say_to(out, "%s: %s", begin, shortfall->lines[told++]);
    }
    if (told < count) say_to(out, "%s: and %zu lines more", begin, count - told);
}

// How the command ended, where that is not the main program and its recording is not kept.
static void tell_started(const struct run_result *result, FILE *out)
{
    if (result->started >= result->recordings->count || result->started == result->main) return;
    const struct recording *item = &result->recordings->items[result->started];
    if (!item->is_dropped || result->shortfall.is_replaced) return;
    const char *signal =
        WIFSIGNALED(result->end.status) ? sigabbrev_np(WTERMSIG(result->end.status)) : "";
    char ending[64];
    if (WIFSIGNALED(result->end.status)) {
        (void)snprintf(ending, sizeof ending, "was killed by SIG%s", signal ? signal : "?");
    } else {
        (void)snprintf(ending, sizeof ending, "ended with status %d",
                       WEXITSTATUS(result->end.status));
    }
    say_to(out, "run: '%s' (pid %d) %s; the largest process that it started follows",
           item->facts.program, (int)item->pid, ending);
}

bool run_summarize(const struct run_result *result, const struct summary_options *options,
                   FILE *out)
{
    // The program may have ended in the middle of a line.
    if (out == stderr && isatty(STDERR_FILENO)) say_gap(out);
    const bool has_none = result->recordings->count == 0;
    tell_shortfall(&result->shortfall, has_none, out);
    tell_started(result, out);
    const struct listing listed = listing_of(result->recordings, result->main, result->started);
    struct run_subject subjects[sizeof listed.items / sizeof *listed.items];
    for (size_t i = 0; i < listed.count; i++) {
        const struct recording *item = &result->recordings->items[listed.items[i]];
        subjects[i] = (struct run_subject){.path = item->path, .is_alive = item->is_alive};
    }
    if (listed.count > 0) {
        // A recording that could not be written anew, for want of room, says little of its end.
        const bool has_end =
            ends_in_one(result) && (result->started == result->main || listed.has_started);
        const struct tree_known known = {
            .first = result->recordings->items[listed.items[0]].made,
            .has_end = has_end,
            .index = listed.has_started ? 1 : 0,
            .end = result->end,
        };
        // It has said why.
        const struct run_subjects all = {
            .all = subjects,
            .count = listed.count,
            .unlisted = listed.unlisted,
            .started = listed.has_started ? 1 : 0,
            .known = known,
        };
        (void)run_report(&all, options, out);
    }
    return has_none || result->shortfall.is_replaced;
}
