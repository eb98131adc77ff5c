// Answers which blocks a recorded program lost: live at its end, and nothing led to them.
#include "cli/cmd.h"
#include "cli/kept_heap.h"
#include "cli/output.h"
#include "cli/skips.h"
#include "cli/style.h"
#include "cli/suppress.h"
#include "cli/tree.h"

#include "report/report.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct leaks_call {
    bool has_all;
    bool is_json;
    bool is_exact;
    bool gives_suppressions;
    struct suppress suppress;
    struct skips skips;
    struct profile_options options;
};

static const struct option options[] = {
    {.name = "all", .kind = OPTION_FLAG, .help = "list the blocks that are in use, too"},
    {.name = "filter",
     .kind = OPTION_VALUE,
     .value = "PATTERN",
     .help = "only stacks through a function, file or module like this"},
    {.name = "skip",
     .kind = OPTION_VALUE,
     .value = "PATTERN",
     .help = "functions or modules that only allocate for others; again for more"},
    {.name = "suppressions",
     .kind = OPTION_VALUE,
     .value = "FILE",
     .help = "leave out what it lists, in LeakSanitizer's or Valgrind's words; again for more"},
    {.name = "known",
     .kind = OPTION_FLAG,
     .help = "leave out what libraries allocate once, on purpose (default yes)"},
    {.name = "gen-suppressions",
     .kind = OPTION_FLAG,
     .help = "print lines that would suppress what is lost, and nothing else"},
    {.name = "json", .kind = OPTION_FLAG, .help = "print what 'mete report --json' does"},
    {.name = "exact", .kind = OPTION_FLAG, .help = "print exact numbers"},
};

static int take(void *context, const struct option *option, const char *value)
{
    struct leaks_call *call = context;
    const bool is_yes = value[0] == 'y';
    if (strcmp(option->name, "suppressions") == 0) {
        return suppress_file(&call->suppress, "leaks", value);
    }
    if (strcmp(option->name, "known") == 0) call->suppress.leaves_known = !is_yes;
    if (strcmp(option->name, "gen-suppressions") == 0) call->gives_suppressions = is_yes;
    if (strcmp(option->name, "all") == 0) call->has_all = is_yes;
    if (strcmp(option->name, "json") == 0) call->is_json = is_yes;
    if (strcmp(option->name, "exact") == 0) call->is_exact = is_yes;
    if (strcmp(option->name, "filter") == 0) call->options.filter = value;
    if (strcmp(option->name, "skip") == 0) return skips_add(&call->skips, "leaks", value);
    return STATUS_OK;
}

static int print(struct leaks_call *call, const char *path)
{
    struct tree tree;
    call->options.suppressions = &call->suppress.list;
    call->options.skips = call->skips.patterns;
    call->options.skip_count = call->skips.count;
    const int status = tree_open(&tree, "leaks", &path, 1, &call->options, NULL);
    if (status) return status;
    int error = 0;
    char text[96];
    const char *reason = report_leaks_reason(&tree.report.subjects[0], text);
    const bool is_in_vain = call->gives_suppressions && reason;
    if (is_in_vain) {
        say("leaks: nobody looked for what is lost: %s", reason);
    } else if (call->gives_suppressions) {
        report_suppressions(stdout, &tree.report.subjects[0]);
    } else if (call->is_json) {
        error = report_json(stdout, &tree.report);
    } else {
        report_leaks(stdout, style_of(stdout, call->is_exact), &tree.report, call->has_all);
    }
    tree_close(&tree);
    suppress_tell(&call->suppress, "leaks", stderr);
    if (error) say("leaks: out of memory");
    return error || is_in_vain ? STATUS_FAILED : STATUS_OK;
}

// `path`, or the newest here for NULL.
static int answer(struct leaks_call *call, const char *path)
{
    kept_heap_use();
    if (path) return print(call, path);
    char *newest = tree_newest("leaks");
    if (!newest) return STATUS_FAILED;
    say("leaks: %s, the newest here", newest);
    const int status = print(call, newest);
    free(newest);
    return status;
}

static int leaks(const struct cmd *self, char **words)
{
    struct leaks_call call = {.has_all = false};
    size_t read = 0;
    int status = options_read(self->name, self->options, words, take, &call, &read);
    words += read;
    if (!status && words[0] && words[1]) status = command_refuse(self, words[1]);
    if (!status) status = suppress_others(&call.suppress, self->name);
    if (!status) status = answer(&call, words[0]);
    suppress_deinit(&call.suppress);
    return status;
}

const struct cmd cmd_leaks = {
    .name = "leaks",
    .usage = "[OPTIONS] [FILE]",
    .question = "what did nobody free, and can nobody any more?",
    .summary = "Lists the blocks that a recorded program lost",
    .detail =
        "A block is lost when it is not freed and nothing leads to it: no register or stack of\n"
        "a thread, no thread-local or global variable, no mapping of the program's, and no\n"
        "block that something leads to. A pointer into the middle of a block leads to it. Of\n"
        "lost blocks that others lead to, these are lost \"with others\"; of a circle one\n"
        "stands for all. 'mete run' looks when the program ends, unless with --leaks=no; what\n"
        "is not freed, lost or not, is shown by 'mete report --sort=left'. What the program\n"
        "tells of (mete_track, <mete/stats.h>) is a block, too, wherever it comes from.\n"
        "FILE is a recording; without one, that of the newest run in this folder.\n",
    .options = {options, sizeof options / sizeof *options, false, NULL},
    .exec = leaks,
};
