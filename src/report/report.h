// Report: answers for people and machines, written to a stream that the caller names; whether all
// could be written shows at that stream's end. Reads profiles and changes nothing.
#pragma once

#include "profile/profile.h"
#include "report/line.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

// What is known beside a recording that says of its process neither that it ended nor how.
enum report_life { REPORT_LIFE_UNKNOWN, REPORT_RUNNING, REPORT_OVER };

// One recording: a process image.
struct report_subject {
    const struct profile *profile;
    const char *path; // of the recording, as one would type it; "" when it has none
    enum report_life life;
};

// A program and what it started; the main one first. All are borrowed.
struct report_tree {
    const struct report_subject *subjects;
    size_t count;    // at least 1
    size_t unlisted; // further children, which are not among the subjects
    size_t started;  // index of the one that started the others; 0: the main one, as far as known
    const struct profile_options *options; // as the profiles were made with; NULL: with none
    size_t lines_before;                   // that stand before the summary on the same page
};

enum {
    REPORT_LINES_MAX = 40,    // of the summary
    REPORT_CHILDREN_MAX = 10, // named in it
};

// What happened to its memory, at most REPORT_LINES_MAX lines of 80 columns with those before it,
// as long as these leave room for what comes first of each part; paths are never cut, and may be
// longer. `key`: ranked by that alone; FIGURES_KEY_COUNT: by the peak, then by counts.
void report_summary(FILE *out, struct report_style style, const struct report_tree *tree,
                    enum figures_key key);

// Every row by falling value of `key`, with each of its stacks in full.
void report_stacks(FILE *out, struct report_style style, const struct report_subject *subject,
                   enum figures_key key);

// The same behind what the summary says first.
void report_full(FILE *out, struct report_style style, const struct report_subject *subject,
                 enum figures_key key);

// What a look for leaks has found: who lost how much, and each stack in full; `has_all`: also those
// of blocks that are in use.
void report_leaks(FILE *out, struct report_style style, const struct report_tree *tree,
                  bool has_all);

// A line "leak:FUNCTION" for each function that names a row with lost blocks, the most first.
void report_suppressions(FILE *out, const struct report_subject *subject);

// Why nobody has looked for leaks, in words that follow a colon; NULL: somebody has.
const char *report_leaks_reason(const struct report_subject *subject, char text[static 96]);

// All that is known of one site.
void report_site(FILE *out, struct report_style style, const struct report_subject *subject,
                 size_t site);

// How many frames have no names, of which modules, and the mend; nothing when all have one. Whether
// there are such; `out` NULL: that alone.
bool report_nameless(FILE *out, struct report_style style, const struct report_subject *subject);

// One line a site: "outermost;…;innermost VALUE", for flame graphs. `key` is no FIGURES_WASTED. How
// many lines there are.
size_t report_folded(FILE *out, const struct report_tree *tree, enum figures_key key);

// One object; docs/report-json.md describes it. 0, or -ENOMEM, with an incomplete text behind it.
int report_json(FILE *out, const struct report_tree *tree);
