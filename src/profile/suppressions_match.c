#include "profile/inside.h"
#include "profile/pattern.h"
#include "profile/suppressions.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// LeakSanitizer's: pieces between '*', one after the other; '^' and '$' hold the first and the
// last.
static bool finds(const char *pattern, const char *text)
{
    bool is_held = *pattern == '^';
    if (is_held) pattern++;
    for (;;) {
        while (*pattern == '*') {
            is_held = false;
            pattern++;
        }
        if (!*pattern) return true;
        const size_t len = strcspn(pattern, "*$");
        const size_t left = strlen(text);
        if (left < len) return false;
        if (pattern[len] == '$') { // the last
            const char *end = text + left - len;
            return memcmp(end, pattern, len) == 0 && (!is_held || end == text);
        }
        const char *found = memmem(text, is_held ? len : left, pattern, len);
        if (!found) return false;
        text = found + len;
        pattern += len;
        is_held = false;
    }
}

// A frame as rules see it: one line of code.
struct seen {
    const struct profile *profile;
    uint32_t line;
    uint32_t frame;
};

static const char *module_of(const struct seen *seen)
{
    const uint32_t module = seen->profile->frames[seen->frame].module;
    return module != PROFILE_NONE ? seen->profile->modules[module].path : "";
}

// The libraries that mete's own list is about.
static bool is_of_library(const struct seen *seen)
{
    static const char *const names[] = {
        "libc.so.*",        "libc-2.*.so",         "ld-linux-*.so.*", "libstdc++.so.*",
        "libglib-2.0.so.*", "libgobject-2.0.so.*", "libgio-2.0.so.*", "libgthread-2.0.so.*",
    };
    const char *path = module_of(seen);
    const char *slash = strrchr(path, '/');
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (pattern_matches(names[i], slash ? slash + 1 : path)) return true;
    }
    return false;
}

// Of a list that knows libraries what their callers allocate is none of its business.
static bool lsan_matches(const char *pattern, const struct profile *profile, uint32_t site,
                         enum suppression_origin origin)
{
    const uint32_t tracked = profile->places->tracked[site];
    if (tracked != PROFILE_NONE && finds(pattern, profile->functions[tracked].name)) return true;
    struct profile_walk walk = profile_walk_from(profile, profile->recording->sites[site].node);
    for (uint32_t at = profile_walk_next(&walk); at != PROFILE_NONE;
         at = profile_walk_next(&walk)) {
        const struct seen seen = {profile, at, walk.frame};
        const struct profile_line *line = &profile->lines[at];
        if (origin == SUPPRESSION_KNOWN && !is_of_library(&seen)) return false;
        if (finds(pattern, line->full) || (*line->file && finds(pattern, line->file)) ||
            finds(pattern, module_of(&seen))) {
            return true;
        }
    }
    return false;
}

// A function's name as far as its parameters, which mangled patterns do not always tell.
static bool is_function(const struct suppression_frame *frame, const char *name)
{
    static const char *const below[] = {"__libc_start_*", "_start"};
    const char *pattern = frame->pattern;
    if (pattern_matches(pattern, name)) return true;
    // libc's aliases: "strdup" is "__strdup", and "clone" its third.
    if (pattern_matches(pattern + strspn(pattern, "_"), name + strspn(name, "_"))) return true;
    if (strcmp(pattern, "clone") == 0 && strcmp(name, "__clone3") == 0) return true;
    // What Valgrind calls main's callers.
    for (size_t i = 0; i < 2 && strcmp(frame->pattern, "(below main)") == 0; i++) {
        if (pattern_matches(below[i], name)) return true;
    }
    return frame->demangled && strcmp(frame->demangled, name) == 0;
}

// A mangled name, of which Valgrind's patterns are. Of a constructor or destructor there are
// several of one text ("C1", "C2", "D0", …): any of them is meant by each.
static bool is_linkage(const char *pattern, const char *linkage)
{
    if (pattern_matches(pattern, linkage)) return *linkage != '\0';
    if (strncmp(pattern, "_Z", 2) != 0) return false;
    char *other = strdup(linkage);
    bool is_match = false;
    for (char *at = other; at && !is_match && (at = strpbrk(at, "CD")); at++) {
        const bool is_code = at[1] >= '0' && at[1] <= '5' && (at[2] == 'E' || at[2] == 'I');
        const char own = at[1];
        for (char code = '0'; is_code && !is_match && code <= '5'; code++) {
            at[1] = code;
            is_match = pattern_matches(pattern, other);
        }
        if (is_code) at[1] = own;
    }
    free(other); // without memory for it, the others are not seen
    return is_match;
}

static bool frame_matches(const struct suppression_frame *frame, const struct seen *seen)
{
    const struct profile_line *line = &seen->profile->lines[seen->line];
    const char *slash = strrchr(line->file, '/');
    switch (frame->what) {
    case SUPPRESSION_ANY: return true;
    case SUPPRESSION_FUNCTION:
        return is_function(frame, line->full) || is_linkage(frame->pattern, line->linkage) ||
               pattern_matches(frame->pattern, seen->profile->functions[line->function].name);
    case SUPPRESSION_OBJECT: return pattern_matches(frame->pattern, module_of(seen));
    case SUPPRESSION_SOURCE: break;
    }
    const size_t len = strcspn(frame->pattern, ":"); // "file.c:12"; without a number any line
    const char *name = slash ? slash + 1 : line->file;
    if (strlen(name) != len || memcmp(name, frame->pattern, len) != 0) return false;
    return !frame->pattern[len] || strtoul(frame->pattern + len + 1, NULL, 10) == line->line;
}

// Valgrind's stacks begin with the function that gave the block; ours with who called malloc, which
// may be operator new.
struct giver {
    bool is_new; // the first frame stands for operator new or new[]
    bool is_c;   // it stands for one of malloc's family
};

static struct giver giver_of(const struct suppression *self)
{
    static const char *const names[] = {
        "malloc",         "calloc",        "realloc", "reallocarray", "memalign",
        "posix_memalign", "aligned_alloc", "valloc",  "pvalloc",
    };
    struct giver giver = {.is_new = false};
    if (self->frame_count == 0 || self->frames[0].what != SUPPRESSION_FUNCTION) return giver;
    const char *pattern = self->frames[0].pattern;
    giver.is_new = strncmp(pattern, "_Znw", 4) == 0 || strncmp(pattern, "_Zna", 4) == 0 ||
                   strncmp(pattern, "operator new", 12) == 0 || pattern_matches(pattern, "_Znwm");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        giver.is_c |= pattern_matches(pattern, names[i]);
    }
    return giver;
}

// Past operator new and new[], to who called the last of them. False: it is not one that the
// pattern stands for. libstdc++'s new[] jumps to its new and leaves no frame, so that what looks
// like the one may be the other.
static bool pass_new(struct profile_walk *walk, const char *pattern)
{
    const char *last = NULL;
    for (;;) {
        struct profile_walk after = *walk;
        const uint32_t line = profile_walk_next(&after);
        if (line == PROFILE_NONE) break;
        const char *name = walk->profile->lines[line].full;
        if (!pattern_matches("operator new*", name)) break;
        last = name;
        *walk = after;
    }
    if (!last) return false;
    const bool is_array = strncmp(last, "operator new[]", strlen("operator new[]")) == 0;
    // Also those with further parameters.
    if (strncmp(pattern, "_Zna", 4) == 0 || pattern_matches(pattern, "_Znam")) return true;
    if (is_array) return pattern_matches(pattern, last);
    return strncmp(pattern, "_Znw", 4) == 0 || pattern_matches(pattern, "_Znwm") ||
           pattern_matches(pattern, last) || strncmp(pattern, "operator new[]", 14) == 0;
}

// As patterns match text: "..." is a '*', to the last of which we return.
static bool matches_from(const struct suppression *self, size_t at, struct profile_walk walk)
{
    const struct profile *profile = walk.profile;
    size_t any = SIZE_MAX;
    struct profile_walk after_any = walk;
    for (;;) {
        if (at < self->frame_count && self->frames[at].what == SUPPRESSION_ANY) {
            any = ++at;
            after_any = walk;
            continue;
        }
        if (at == self->frame_count) return true; // what lies further out is free
        const uint32_t line = profile_walk_next(&walk);
        if (line == PROFILE_NONE) return false;
        const struct seen seen = {profile, line, walk.frame};
        if (frame_matches(&self->frames[at], &seen)) {
            at++;
            continue;
        }
        if (any == SIZE_MAX) return false;
        at = any;
        if (profile_walk_next(&after_any) == PROFILE_NONE) return false;
        walk = after_any;
    }
}

static bool valgrind_matches(const struct suppression *self, const struct profile *profile,
                             uint32_t node)
{
    const struct profile_walk whole = profile_walk_from(profile, node);
    const struct giver giver = giver_of(self);
    struct profile_walk callers = whole;
    const bool is_new = giver.is_new && pass_new(&callers, self->frames[0].pattern);
    if (is_new && matches_from(self, 1, callers)) return true;
    if (giver.is_c && matches_from(self, 1, whole)) return true;
    return !giver.is_new && !giver.is_c && matches_from(self, 0, whole);
}

bool suppression_matches(const struct suppression *self, const struct profile *profile,
                         uint32_t site, unsigned kind)
{
    const uint32_t node = profile->recording->sites[site].node;
    if (!(self->kinds >> kind & 1) || node == PROFILE_NONE) return false;
    return self->pattern ? lsan_matches(self->pattern, profile, site, self->origin)
                         : valgrind_matches(self, profile, node);
}
