#include "cli/run_summary.h"

#include "cli/output.h"
#include "cli/run_report.h"
#include "report/report.h"

#include <unistd.h>

// Lines on which it is told what was not seen; the last may be the first of four.
enum { SAID_MAX = 10 };

static struct run_subject subject_of(const struct recording *item)
{
    return (struct run_subject){.path = item->path, .is_alive = item->is_alive};
}

// What the summary is of: the main program's recording first, then, where that is another, that of
// the command itself, then the children that are listed, in their order. Thousands of others need
// not even be read.
struct listed {
    struct run_subject subjects[2 + REPORT_CHILDREN_MAX];
    bool has_started; // the second is that of the command
    size_t count;
    size_t unlisted;
};

static bool is_child(const struct run_result *result, size_t index)
{
    return index != result->main && index != result->started &&
           !result->recordings->items[index].is_dropped;
}

// The children with the highest peaks, `max` of them at most, in their order. How many there are.
static size_t choose(const struct run_result *result, size_t chosen_out[REPORT_CHILDREN_MAX],
                     size_t max)
{
    const struct recording *items = result->recordings->items;
    size_t count = 0;
    for (size_t i = 0; i < result->recordings->count; i++) {
        if (!is_child(result, i)) continue;
        if (count < max) {
            chosen_out[count++] = i;
            continue;
        }
        // The lowest gives way, of equal ones the last.
        size_t lowest = 0;
        for (size_t j = 1; j < count; j++) {
            const uint64_t peak = items[chosen_out[j]].facts.peak_bytes;
            if (peak <= items[chosen_out[lowest]].facts.peak_bytes) lowest = j;
        }
        if (items[i].facts.peak_bytes <= items[chosen_out[lowest]].facts.peak_bytes) continue;
        for (size_t j = lowest; j + 1 < count; j++) chosen_out[j] = chosen_out[j + 1];
        chosen_out[count - 1] = i;
    }
    return count;
}

static void list(const struct run_result *result, struct listed *listed_out)
{
    const struct recordings *recordings = result->recordings;
    size_t children = 0;
    for (size_t i = 0; i < recordings->count; i++) children += is_child(result, i);
    size_t chosen[REPORT_CHILDREN_MAX];
    // One line is for those that do not fit.
    const bool has_started = result->started < recordings->count &&
                             result->started != result->main &&
                             !recordings->items[result->started].is_dropped;
    const size_t room = REPORT_CHILDREN_MAX - (size_t)has_started;
    const size_t count = choose(result, chosen, children <= room ? room : room - 1);
    *listed_out = (struct listed){.has_started = has_started, .unlisted = children - count};
    if (result->main < recordings->count) {
        listed_out->subjects[listed_out->count++] = subject_of(&recordings->items[result->main]);
    }
    if (has_started) {
        listed_out->subjects[listed_out->count++] = subject_of(&recordings->items[result->started]);
    }
    for (size_t i = 0; i < count; i++) {
        listed_out->subjects[listed_out->count++] = subject_of(&recordings->items[chosen[i]]);
    }
}

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

bool run_summarize(const struct run_result *result, const struct summary_options *options,
                   FILE *out)
{
    // The program may have ended in the middle of a line.
    if (out == stderr && isatty(STDERR_FILENO)) say_gap(out);
    const bool has_none = result->recordings->count == 0;
    tell_shortfall(&result->shortfall, has_none, out);
    struct listed listed;
    list(result, &listed);
    if (listed.count > 0) {
        // A recording that could not be written anew, for want of room, says little of its end.
        const bool has_end =
            ends_in_one(result) && (result->started == result->main || listed.has_started);
        const struct tree_end end = {
            .index = listed.has_started ? 1 : 0,
            .status = result->status,
            .duration_ms = result->wall_ns / 1000000,
        };
        // It has said why.
        const struct run_subjects subjects = {
            .all = listed.subjects,
            .count = listed.count,
            .unlisted = listed.unlisted,
            .started = listed.has_started ? 1 : 0,
            .end = has_end ? &end : NULL,
        };
        (void)run_report(&subjects, options, out);
    }
    return has_none || result->shortfall.is_replaced;
}
