#include "cli/run_leaks.h"

#include "cli/output.h"
#include "cli/tree.h"
#include "record/tables.h"

enum { TOLD_MAX = 3 }; // processes that have a line each

static const char *reason_of(const struct recording *item)
{
    const struct recording_facts *facts = &item->facts;
    if (item->is_alive) return "it still runs";
    if (facts->state == RECORD_EXECED) return "it became another program";
    switch (facts->leak_state) {
    case RECORD_LEAKS_UNASKED: return "its METE= says otherwise";
    case RECORD_LEAKS_REFUSED: return facts->leak_reason;
    case RECORD_LEAKS_BUSY:
        return "it ended within a call of malloc or free, in a handler or another thread";
    default: return "it did not end by exit(), _exit() or quick_exit()";
    }
}

static void tell_unknown(const struct recording *item, FILE *out)
{
    say_to(out, "run: nobody looked for leaks in '%s' (pid %d): %s", item->facts.program,
           (int)item->pid, reason_of(item));
}

// It should have been looked at: not one that became another program, which may be.
static bool is_unknown(const struct recording *item)
{
    const struct recording_facts *facts = &item->facts;
    return facts->leak_state != RECORD_LEAKS_SCANNED && facts->leak_state != RECORD_LEAKS_UNASKED &&
           facts->state != RECORD_EXECED;
}

static bool is_known(const struct run_result *result, size_t index, FILE *out)
{
    if (index >= result->recordings->count) {
        say_to(out, "run: nobody looked for leaks: there is no recording");
        return false;
    }
    const struct recording *item = &result->recordings->items[index];
    if (item->facts.leak_state == RECORD_LEAKS_SCANNED) return true;
    tell_unknown(item, out);
    return false;
}

// Without what is suppressed.
static uint64_t lost_blocks(const struct recording *item, struct suppressions *suppressions)
{
    if (item->facts.leak_state != RECORD_LEAKS_SCANNED) return 0;
    if (item->facts.lost_blocks == 0 || item->is_dropped) return item->facts.lost_blocks;
    const char *path = item->path;
    const struct profile_options options = {.suppressions = suppressions};
    struct tree tree;
    if (tree_open(&tree, "run", &path, 1, &options, NULL) != 0) return item->facts.lost_blocks;
    const uint64_t blocks = tree.report.subjects[0].profile->totals.lost_blocks;
    tree_close(&tree);
    return blocks;
}

static void tell(const struct recording *item, unsigned long long blocks, FILE *out)
{
    if (item->is_dropped) {
        say_to(out, "run: '%s' (pid %d), of which no recording is kept, lost %llu block%s",
               item->facts.program, (int)item->pid, blocks, blocks == 1 ? "" : "s");
        return;
    }
    say_to(out, "run: '%s' (pid %d) lost %llu block%s: mete leaks %s", item->facts.program,
           (int)item->pid, blocks, blocks == 1 ? "" : "s", item->path);
}

enum leaks_verdict run_leaks_judge(const struct run_result *result,
                                   struct suppressions *suppressions, FILE *out)
{
    const struct recordings *recordings = result->recordings;
    size_t count = 0;
    size_t unknown = 0;
    bool is_found = false;
    for (size_t i = 0; i < recordings->count; i++) {
        const struct recording *item = &recordings->items[i];
        const uint64_t blocks = lost_blocks(item, suppressions);
        const bool is_other = i != result->main && i != result->started;
        if (is_other && is_unknown(item) && unknown++ < TOLD_MAX) tell_unknown(item, out);
        if (blocks == 0) continue;
        is_found = true;
        if (i == result->main) continue;
        if (count++ < TOLD_MAX) tell(item, blocks, out);
    }
    if (count > TOLD_MAX) {
        say_to(out, "run: and %zu more processes lost some", count - TOLD_MAX);
    }
    if (unknown > TOLD_MAX) {
        say_to(out, "run: nor in %zu more processes", unknown - TOLD_MAX);
    }
    const bool has_main = is_known(result, result->main, out);
    const bool is_same = result->started == result->main;
    const bool has_started = is_same || is_known(result, result->started, out);
    if (is_found) return LEAKS_FOUND;
    return has_main && has_started ? LEAKS_NONE : LEAKS_UNKNOWN;
}

int run_leaks_status(enum leaks_verdict verdict, int error_status)
{
    switch (verdict) {
    case LEAKS_NONE: return STATUS_OK;
    case LEAKS_UNKNOWN: return STATUS_FAILED;
    case LEAKS_FOUND: break;
    }
    return error_status >= 0 ? error_status : 1;
}
