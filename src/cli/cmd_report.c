// Answers where the memory of a recorded program went.
#include "cli/cmd.h"
#include "cli/kept_heap.h"
#include "cli/listing.h"
#include "cli/output.h"
#include "cli/recording_embed.h"
#include "cli/relatives.h"
#include "cli/skips.h"
#include "cli/style.h"
#include "cli/suppress.h"
#include "cli/tree.h"

#include "report/report.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum form { FORM_SUMMARY, FORM_FULL, FORM_SITE, FORM_FOLDED, FORM_JSON, FORM_EMBED };

struct report_call {
    enum form form;
    enum figures_key key; // FIGURES_KEY_COUNT: none was named
    size_t site;
    bool is_exact;
    bool has_children;
    struct skips skips;
    struct suppress suppress;
    struct profile_options options;
};

static const struct option options[] = {
    {.name = "full", .kind = OPTION_FLAG, .help = "print every call stack of every row"},
    {.name = "site", .kind = OPTION_VALUE, .value = "N", .help = "print all of one call site"},
    {.name = "sort",
     .kind = OPTION_VALUE,
     .value = "KEY",
     .help = "by peak, live, bytes, allocations, temporary, wasted, left (not freed) or lost"},
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
     .help = "leave lost blocks out that it lists, as 'mete leaks' does; again for more"},
    {.name = "folded",
     .kind = OPTION_VALUE,
     .value = "KEY",
     .help = "stacks for flame graphs, by any but wasted, left and lost"},
    {.name = "json", .kind = OPTION_FLAG, .help = "print one object with all that is known"},
    {.name = "embed",
     .kind = OPTION_FLAG,
     .help = "print no report: write the names of frames into FILE"},
    {.name = "exact", .kind = OPTION_FLAG, .help = "print exact numbers"},
    {.name = "children", .kind = OPTION_FLAG, .help = "list the children, too; the default"},
};

static int take_form(struct report_call *call, enum form form, bool is_wanted)
{
    if (!is_wanted) {
        if (call->form == form) call->form = FORM_SUMMARY;
        return STATUS_OK;
    }
    if (call->form != FORM_SUMMARY && call->form != form) {
        say("report: choose one of --full, --site, --folded, --json and --embed");
        return STATUS_USAGE;
    }
    call->form = form;
    return STATUS_OK;
}

static int take_key(struct report_call *call, const char *option, const char *value)
{
    const bool is_folded = strcmp(option, "folded") == 0;
    // What lies behind these is no part of a stack's weight, or has another name.
    const enum figures_key end = is_folded ? FIGURES_WASTED : FIGURES_KEY_COUNT;
    for (int key = 0; key < (int)end; key++) {
        if (strcmp(figures_key_names[key], value) != 0) continue;
        call->key = (enum figures_key)key;
        return is_folded ? take_form(call, FORM_FOLDED, true) : STATUS_OK;
    }
    say("report: '--%s=%s': the keys are peak, live, bytes, allocations%s", option, value,
        is_folded ? " and temporary" : ", temporary, wasted, left and lost");
    return STATUS_USAGE;
}

static int take_site(struct report_call *call, const char *value)
{
    char *end = NULL;
    errno = 0;
    const unsigned long long site = strtoull(value, &end, 10);
    if (*value < '0' || *value > '9' || *end || errno) {
        say("report: '--site=%s': wants a site's number, such as those that --full prints", value);
        return STATUS_USAGE;
    }
    call->site = site;
    return take_form(call, FORM_SITE, true);
}

static int take(void *context, const struct option *option, const char *value)
{
    struct report_call *call = context;
    const char *name = option->name;
    const bool is_yes = value[0] == 'y';
    if (strcmp(name, "full") == 0) return take_form(call, FORM_FULL, is_yes);
    if (strcmp(name, "embed") == 0) return take_form(call, FORM_EMBED, is_yes);
    if (strcmp(name, "json") == 0) return take_form(call, FORM_JSON, is_yes);
    if (strcmp(name, "suppressions") == 0) return suppress_file(&call->suppress, "report", value);
    if (strcmp(name, "site") == 0) return take_site(call, value);
    if (strcmp(name, "sort") == 0 || strcmp(name, "folded") == 0) {
        return take_key(call, name, value);
    }
    if (strcmp(name, "exact") == 0) call->is_exact = is_yes;
    if (strcmp(name, "children") == 0) call->has_children = is_yes;
    if (strcmp(name, "filter") == 0) call->options.filter = value;
    if (strcmp(name, "skip") == 0) return skips_add(&call->skips, "report", value);
    return STATUS_OK;
}

// What a form has no place for: that less is left of a recording than there was.
static void tell_damage(const struct report_call *call, const struct report_tree *report)
{
    const bool is_told = call->form != FORM_SITE && call->form != FORM_FOLDED;
    for (size_t i = is_told ? 1 : 0; i < report->count; i++) {
        const struct profile *profile = report->subjects[i].profile;
        if (profile->missing > 0) {
            say("report: %s: the recording is cut off: %llu bytes of %llu",
                report->subjects[i].path, (unsigned long long)profile->file_size,
                (unsigned long long)(profile->file_size + profile->missing));
        }
        if (profile->unbelieved > 0) {
            say("report: %s: the recording contradicts itself in %llu place%s",
                report->subjects[i].path, (unsigned long long)profile->unbelieved,
                profile->unbelieved == 1 ? "" : "s");
        }
    }
}

static int print(const struct report_call *call, const struct tree *tree)
{
    struct report_tree report = tree->report;
    const struct report_subject *main = &report.subjects[0];
    const struct report_style style = style_of(stdout, call->is_exact);
    report.options = &call->options;
    if (!call->has_children) report.count = 1;
    tell_damage(call, &report);
    const enum figures_key key = call->key == FIGURES_KEY_COUNT ? FIGURES_PEAK : call->key;
    switch (call->form) {
    case FORM_SUMMARY: report_summary(stdout, style, &report, call->key); break;
    case FORM_FULL: report_full(stdout, style, main, key); break;
    case FORM_FOLDED:
        if (report_folded(stdout, &report, key) > 0) break;
        say("report: '--folded=%s': each stack%s has 0", figures_key_names[key],
            call->options.filter ? " that the filter leaves" : "");
        break;
    case FORM_SITE:
        if (call->site >= main->profile->sites_count) {
            say("report: %s has no site %zu; it has %zu, from 0", main->path, call->site,
                main->profile->sites_count);
            return STATUS_USAGE;
        }
        report_site(stdout, style, main, call->site);
        break;
    case FORM_EMBED: break; // prints nothing
    case FORM_JSON:
        if (report_json(stdout, &report) == 0) break;
        say("report: out of memory");
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

static const char *embed_words(int error)
{
    if (error == -EBADMSG) return "it cannot be read as a recording";
    if (error == -ENODATA) return "it is cut off or damaged, which that would hide";
    if (error == -EBUSY) return "its process still writes it; wait until that has ended";
    return strerror(-error);
}

// What still has no name, and why.
static void tell_nameless(const char *path)
{
    struct tree tree;
    if (tree_open(&tree, "report", &path, 1, NULL, NULL) != STATUS_OK) return;
    const struct report_style style = style_of(stderr, false);
    if (report_nameless(NULL, style, tree.subjects)) {
        say("report: not all frames of '%s' could be named", path);
        (void)report_nameless(stderr, style, tree.subjects);
    }
    tree_close(&tree);
}

// Names the frames of each file, where it lies.
static int embed(char **paths)
{
    struct embedder *embedder = embedder_create();
    if (!embedder) {
        say("report: out of memory");
        return STATUS_FAILED;
    }
    int status = STATUS_OK;
    for (; *paths; paths++) {
        const struct embed_plan plan = {.has_names = true};
        struct embedded *made = NULL;
        int error = embedder_make(embedder, *paths, &plan, &made);
        if (!error) error = embedded_replace(made, *paths);
        embedded_close(made);
        if (!error) {
            tell_nameless(*paths);
            continue;
        }
        say("report: cannot write names into '%s': %s", *paths, embed_words(error));
        status = STATUS_FAILED;
    }
    embedder_destroy(embedder);
    return status;
}

// The first that is a file named before it; NULL when all differ.
static const char *find_twice(char *const *paths, size_t count)
{
    struct stat *files = calloc(count + 1, sizeof *files);
    const char *twice = NULL;
    for (size_t i = 0; files && i < count && !twice; i++) {
        if (stat(paths[i], &files[i]) < 0) continue; // whoever opens it says so
        for (size_t j = 0; j < i && !twice; j++) {
            const bool is_same =
                files[j].st_ino == files[i].st_ino && files[j].st_dev == files[i].st_dev;
            if (is_same && files[i].st_ino != 0) twice = paths[i];
        }
    }
    free(files);
    return twice;
}

// Recordings that were opened for a report, and what their paths belong to.
struct opened {
    struct tree tree;
    struct recordings relatives; // of the same run
    char *newest;                // that of this folder, where none was named; or NULL
};

static void opened_deinit(struct opened *self)
{
    recordings_deinit(&self->relatives);
    free(self->newest);
}

// Opens the recording at `path`, or the main one of the newest run here for NULL, with those of the
// processes that its own started, where they are beside it: as `mete run` has told of them. 0, or a
// status after a message.
static int open_one(struct opened *self, const struct report_call *call, const char *path)
{
    if (!path) path = self->newest = tree_newest("report");
    if (!path) return STATUS_FAILED;
    pid_t root = 0;
    struct listing listing = {.count = 0};
    if (relatives_find(path, &self->relatives, &root) == 0) {
        struct recordings *relatives = &self->relatives;
        size_t main = recordings_main(relatives, root);
        size_t started = recordings_own(relatives, root);
        const size_t index = relatives_index(relatives, path);
        if (!self->newest && main != index) main = started = relatives_narrow(relatives, index);
        listing = listing_of(relatives, main, started);
    }
    const char *paths[sizeof listing.items / sizeof *listing.items] = {path};
    for (size_t i = 0; i < listing.count; i++) {
        paths[i] = self->relatives.items[listing.items[i]].path;
    }
    if (self->newest) say("report: %s, the newest here", paths[0]);
    const bool has_others = listing.count > 0 && call->has_children &&
                            (call->form == FORM_SUMMARY || call->form == FORM_JSON);
    const int status = tree_open(&self->tree, "report", paths, has_others ? listing.count : 1,
                                 &call->options, NULL);
    if (has_others && !status) {
        self->tree.report.unlisted = listing.unlisted;
        self->tree.report.started = listing.has_started ? 1 : 0;
    }
    return status;
}

// Opens what was named, and prints.
static int answer(struct report_call *call, char **paths, size_t count)
{
    struct opened opened = {.newest = NULL};
    int status = count > 1 ? tree_open(&opened.tree, "report", (const char *const *)paths, count,
                                       &call->options, NULL)
                           : open_one(&opened, call, paths[0]);
    if (!status) {
        status = print(call, &opened.tree);
        tree_close(&opened.tree);
    }
    opened_deinit(&opened);
    return status;
}

static int report_of(struct report_call *call, char **words)
{
    size_t count = 0;
    while (words[count]) count++;
    for (size_t i = 1; i < count; i++) {
        if (strncmp(words[i], "--", 2) != 0 || access(words[i], F_OK) == 0) continue;
        say("report: '%s': options stand before FILE", words[i]);
        return STATUS_USAGE;
    }
    call->options.skips = call->skips.patterns;
    call->options.skip_count = call->skips.count;
    kept_heap_use();
    if (call->form == FORM_EMBED) {
        if (count > 0) return embed(words);
        say("report: --embed wants the FILE to write into");
        return STATUS_USAGE;
    }
    const char *twice = find_twice(words, count);
    if (twice) {
        say("report: '%s' is named twice", twice);
        return STATUS_USAGE;
    }
    return answer(call, words, count);
}

static int report(const struct cmd *self, char **words)
{
    struct report_call call = {.key = FIGURES_KEY_COUNT, .has_children = true};
    call.options.suppressions = &call.suppress.list;
    size_t read = 0;
    int status = options_read(self->name, self->options, words, take, &call, &read);
    if (!status) status = suppress_others(&call.suppress, self->name);
    if (!status) status = report_of(&call, words + read);
    suppress_deinit(&call.suppress);
    return status;
}

const struct cmd cmd_report = {
    .name = "report",
    .usage = "[OPTIONS] [FILE]",
    .question = "where did the memory go?",
    .summary = "Tells where the memory of a recorded program went",
    .detail = "FILE is a recording; without one, that of the newest run in this folder. Those of\n"
              "what its program started are found beside it. Several are a program and what it\n"
              "started, the program's own first.\n"
              "A row is a function: the first one outward that is not there to allocate for\n"
              "others (docs/rows.md lists these). Patterns know '*' and '?'.\n",
    .options = {options, sizeof options / sizeof *options, false, NULL},
    .exec = report,
};
