#include "report/amount.h"
#include "report/letters.h"
#include "report/package.h"
#include "report/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MODULES_NAMED = 3, REASONS_NAMED = 4 };

// Modules with the most nameless frames, the most first.
static size_t nameless_rank(const struct profile *profile, size_t *order_out, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < profile->modules_count; i++) {
        const size_t frames = profile->modules[i].file_frames_nameless;
        if (frames == 0) continue;
        size_t at = count < max ? count++ : max;
        for (; at > 0 && profile->modules[order_out[at - 1]].file_frames_nameless < frames; at--) {
            if (at < max) order_out[at] = order_out[at - 1];
        }
        if (at < max) order_out[at] = i;
    }
    return count;
}

static bool is_of_the_system(const char *path)
{
    if (strncmp(path, "/usr/local/", 11) == 0) return false;
    return strncmp(path, "/usr/", 5) == 0 || strncmp(path, "/lib", 4) == 0 ||
           strncmp(path, "/bin/", 5) == 0 || strncmp(path, "/sbin/", 6) == 0;
}

static void put_mend_of_system(struct line *line, const struct profile_module *module)
{
    char package[PACKAGE_NAME_SIZE];
    char symbols[PACKAGE_NAME_SIZE + 8];
    if (package_find(PACKAGE_LISTS, module->path, package)) {
        package_of_symbols(package, symbols, sizeof symbols);
        line_put(line, INK_NOTE, "install ");
        line_put_within(line, INK_NOTE, symbols, LINE_COLUMNS - 23);
    } else {
        // Another system's, or one that nobody has put into a package.
        line_put(line, INK_NOTE, "install debug symbols for ");
        line_put_within(line, INK_NOTE, module->name, LINE_COLUMNS - 23);
    }
    line_put(line, INK_NOTE, " or set DEBUGINFOD_URLS");
}

// What gives names to a module of the user's own, in two parts around its name.
struct own_mend {
    const char *begin;
    const char *end;
};

static struct own_mend mend_of_own(const struct profile *profile, size_t index)
{
    static const struct own_mend mends[] = {
        [PROFILE_FILE_THERE] = {"build ", " with -g, unstripped"},
        [PROFILE_FILE_GONE] = {"put ", " back for 'mete report --embed'"},
        [PROFILE_FILE_CLOSED] = {"make ", " readable for 'mete report --embed'"},
    };
    return mends[profile_module_file(profile, index)];
}

// What gives names to the worst module of the system's and of the user's own.
static void put_mend(struct line *line, const struct profile *profile, const size_t *order,
                     size_t count)
{
    static const char widest[] = "; install debug symbols for ... or set DEBUGINFOD_URLS";
    const char *joint = "  mend: ";
    bool has_system = false;
    bool has_own = false;
    for (size_t i = 0; i < count; i++) {
        const struct profile_module *module = &profile->modules[order[i]];
        const bool is_system = is_of_the_system(module->path);
        if (is_system ? has_system : has_own) continue;
        struct own_mend own = {"", ""};
        if (!is_system) own = mend_of_own(profile, order[i]);
        const size_t need =
            is_system ? strlen(widest) : strlen(joint) + strlen(own.begin) + 3 + strlen(own.end);
        if (line->column + need > LINE_COLUMNS) continue;
        line_put(line, INK_NOTE, joint);
        joint = "; ";
        if (is_system) {
            has_system = true;
            put_mend_of_system(line, module);
        } else {
            has_own = true;
            line_put(line, INK_NOTE, own.begin);
            line_put_within(line, INK_NOTE, module->name, LINE_COLUMNS - strlen(own.end));
            line_put(line, INK_NOTE, own.end);
        }
    }
    if (!has_system && !has_own) line_put(line, INK_NOTE, "  they lie in no file: generated code");
    line_end(line);
}

static size_t note_names(struct line *line, const struct profile *profile)
{
    if (profile->frames_count == 0) return 0;
    if (!profile->has_names) {
        if (profile->missing > 0) return 0; // they may have been cut off
        if (!line) return 1;
        line_put(line, INK_NOTE, "No names were looked up: the recording has module+offset alone.");
        line_end(line);
        return 1;
    }
    size_t nameless = 0;
    for (size_t i = 0; i < profile->frames_count; i++) {
        const struct profile_frame *frame = &profile->frames[i];
        const struct profile_line *code = &profile->lines[frame->first_line];
        nameless += profile->functions[code->function].is_nameless;
    }
    if (nameless == 0) return 0;
    if (!line) return 2;
    size_t order[MODULES_NAMED];
    const size_t count = nameless_rank(profile, order, MODULES_NAMED);
    line_print(line, INK_NOTE, "%zu of %zu frame%s %s no name%s", nameless, profile->frames_count,
               amount_plural(profile->frames_count), nameless == 1 ? "has" : "have",
               amount_plural(nameless));
    for (size_t i = 0; i < count; i++) {
        const struct profile_module *module = &profile->modules[order[i]];
        char number[32];
        (void)snprintf(number, sizeof number, " (%zu)", module->file_frames_nameless);
        if (line->column + 12 + strlen(number) > LINE_COLUMNS) break;
        line_put(line, INK_NOTE, i == 0 ? ": " : ", ");
        line_put_within(line, INK_NOTE, module->name, LINE_COLUMNS - strlen(number));
        line_put(line, INK_NOTE, number);
    }
    line_end(line);
    put_mend(line, profile, order, count);
    return 2;
}

static size_t note_lost(struct line *line, const struct profile *profile)
{
    size_t lines = 0;
    for (size_t i = 0; i < profile->lost_count && lines < REASONS_NAMED; i++) {
        const struct profile_tally *lost = &profile->lost[i];
        if (lost->count == 0) break; // the most first
        lines++;
        if (!line) continue;
        char text[AMOUNT_SIZE];
        amount_count(text, lost->count, line->style.is_exact);
        line_print(line, INK_NOTE, "Not counted: %s event%s: ", text, amount_plural(lost->count));
        line_put_begin(line, INK_NOTE, lost->name, LINE_COLUMNS);
        line_end(line);
    }
    return lines;
}

static size_t note_room(struct line *line, const struct profile *profile)
{
    const size_t lines = (size_t)(profile->unstacked > 0) + profile->wants_room;
    if (!line || lines == 0) return lines;
    if (profile->unstacked > 0) {
        char text[AMOUNT_SIZE];
        amount_count(text, profile->unstacked, line->style.is_exact);
        line_print(line, INK_NOTE, "Without a stack: %s allocation%s: no room for more sites", text,
                   amount_plural(profile->unstacked));
        line_end(line);
    }
    if (profile->wants_room) {
        line_put(line, INK_NOTE,
                 "  mend: free space on its disk or in /dev/shm, or raise ulimit -f or -v");
        line_end(line);
    }
    return lines;
}

size_t part_damage(struct line *line, const struct profile *profile)
{
    const size_t kinds = (size_t)(profile->missing > 0) + (profile->unbelieved > 0);
    if (!line || kinds == 0) return kinds > 0 ? kinds + 1 : 0;
    if (profile->missing > 0) {
        line_print(line, INK_NOTE, "The recording is cut off: %llu bytes of %llu.",
                   (unsigned long long)profile->file_size,
                   (unsigned long long)(profile->file_size + profile->missing));
        line_end(line);
    }
    if (profile->unbelieved > 0) {
        line_print(line, INK_NOTE, "The recording contradicts itself in %llu place%s.",
                   (unsigned long long)profile->unbelieved, amount_plural(profile->unbelieved));
        line_end(line);
    }
    line_put(line, INK_NOTE, "What follows is of what is left of it.");
    line_end(line);
    return kinds + 1;
}

static size_t note_filter(struct line *line, const struct profile *profile)
{
    if (profile->sites_hidden == 0) return 0;
    if (!line) return 1;
    line_print(line, INK_NOTE, "The filter leaves %zu of %zu call site%s.",
               profile->sites_count - profile->sites_hidden, profile->sites_count,
               amount_plural(profile->sites_count));
    line_end(line);
    return 1;
}

bool report_nameless(FILE *out, struct report_style style, const struct report_subject *subject)
{
    struct line line = {.out = out, .style = style};
    return note_names(out ? &line : NULL, subject->profile) > 0;
}

size_t part_notes(struct line *line, const struct report_subject *subject)
{
    const struct profile *profile = subject->profile;
    return note_names(line, profile) + note_lost(line, profile) + note_room(line, profile) +
           note_filter(line, profile);
}
