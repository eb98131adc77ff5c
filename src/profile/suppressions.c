#include "profile/suppressions.h"

#include "profile/inside.h"
#include "symbols/demangle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// --- reading
// -------------------------------------------------------------------------------------

struct lines {
    const char *at;
    const char *end;
    unsigned number;
};

// The next line without blanks around it. False: there is none.
static bool next_line(struct lines *self, const char **begin_out, size_t *size_out)
{
    if (self->at >= self->end) return false;
    const char *begin = self->at;
    const char *end = memchr(begin, '\n', (size_t)(self->end - begin));
    if (!end) end = self->end;
    self->at = end < self->end ? end + 1 : end;
    self->number++;
    while (begin < end && strchr(" \t\r", *begin)) begin++;
    while (end > begin && strchr(" \t\r", end[-1])) end--;
    *begin_out = begin;
    *size_out = (size_t)(end - begin);
    return true;
}

static bool begins(const char *text, size_t size, const char *word)
{
    return size >= strlen(word) && memcmp(text, word, strlen(word)) == 0;
}

static void suppression_deinit(struct suppression *self)
{
    for (size_t i = 0; i < self->frame_count; i++) {
        free(self->frames[i].pattern);
        free(self->frames[i].demangled);
    }
    free(self->frames);
    free(self->source);
    free(self->name);
    free(self->pattern);
}

void suppressions_deinit(struct suppressions *self)
{
    for (size_t i = 0; i < self->count; i++) suppression_deinit(&self->all[i]);
    free(self->all);
    *self = (struct suppressions){0};
}

// Takes it over, also where it fails.
static int append(struct suppressions *self, struct suppression *one)
{
    if (self->count == self->capacity) {
        const size_t capacity = self->capacity ? 2 * self->capacity : 64;
        struct suppression *all = reallocarray(self->all, capacity, sizeof *all);
        if (!all) {
            suppression_deinit(one);
            return -ENOMEM;
        }
        self->all = all;
        self->capacity = capacity;
    }
    self->all[self->count++] = *one;
    return 0;
}

struct reading {
    struct suppressions *self;
    enum suppression_origin origin;
    const char *source;
    struct lines lines;
    uint64_t max_blocks; // of the next one
    const char *problem; // NULL: all is well, or there is no memory
};

static int wrong(struct reading *self, const char *what)
{
    self->problem = what;
    return -EINVAL;
}

// A new one, which begins on this line; its source and name may be NULL for want of memory.
static struct suppression begin_one(struct reading *self, const char *name, size_t size)
{
    struct suppression one = {
        .origin = self->origin,
        .source = strdup(self->source),
        .line = self->lines.number,
        .name = strndup(name, size),
        .kinds = 1U << PROFILE_LOST_DIRECT | 1U << PROFILE_LOST_INDIRECT,
        .max_blocks = self->max_blocks,
    };
    self->max_blocks = UINT64_MAX;
    return one;
}

// "#mete: max=10"; other comments are free.
static int read_comment(struct reading *self, const char *text, size_t size)
{
    static const char word[] = "#mete:";
    if (!begins(text, size, word)) return 0;
    const char *at = text + strlen(word);
    const char *end = text + size;
    while (at < end && *at == ' ') at++;
    if (!begins(at, (size_t)(end - at), "max=")) return wrong(self, "wants '#mete: max=NUMBER'");
    at += 4;
    uint64_t value = 0;
    if (at == end) return wrong(self, "wants a number behind 'max='");
    for (; at < end; at++) {
        const bool is_digit = *at >= '0' && *at <= '9';
        if (!is_digit || value > UINT64_MAX / 10 - 1) {
            return wrong(self, "wants a number behind 'max='");
        }
        value = 10 * value + (uint64_t)(*at - '0');
    }
    self->max_blocks = value;
    return 0;
}

static int read_lsan(struct reading *self, const char *text, size_t size)
{
    static const char word[] = "leak:";
    const size_t skipped = strlen(word);
    if (size == skipped) return wrong(self, "has no pattern behind 'leak:'");
    struct suppression one = begin_one(self, text, size);
    one.pattern = strndup(text + skipped, size - skipped);
    if (one.source && one.name && one.pattern) return append(self->self, &one);
    suppression_deinit(&one);
    return -ENOMEM;
}

// --- Valgrind's

static const struct {
    const char *word;
    unsigned kinds;
} kind_words[] = {
    {"definite", 1U << PROFILE_LOST_DIRECT}, {"indirect", 1U << PROFILE_LOST_INDIRECT},
    {"possible", 1U << PROFILE_INTERIOR},    {"reachable", 1U << PROFILE_REACHABLE},
    {"all", (1U << PROFILE_LEAK_KINDS) - 1}, {"none", 0},
};

// "definite,indirect"
static int read_kinds(struct reading *self, const char *text, size_t size, unsigned *kinds_out)
{
    *kinds_out = 0;
    const char *end = text + size;
    for (const char *at = text; at < end;) {
        while (at < end && (*at == ' ' || *at == ',')) at++;
        const char *begin = at;
        while (at < end && *at != ',' && *at != ' ') at++;
        const size_t len = (size_t)(at - begin);
        bool is_known = len == 0;
        for (size_t i = 0; i < sizeof kind_words / sizeof *kind_words && !is_known; i++) {
            is_known = strlen(kind_words[i].word) == len && begins(begin, len, kind_words[i].word);
            if (is_known) *kinds_out |= kind_words[i].kinds;
        }
        if (!is_known) return wrong(self, "names a kind of leak that is none");
    }
    return 0;
}

static int read_frame(struct reading *self, struct suppression *one, const char *text, size_t size)
{
    static const struct {
        const char *word;
        enum suppression_what what;
    } words[] = {
        {"fun:", SUPPRESSION_FUNCTION},
        {"obj:", SUPPRESSION_OBJECT},
        {"src:", SUPPRESSION_SOURCE},
    };
    if (one->frame_count == SUPPRESSION_FRAMES_MAX) return wrong(self, "has too many frames");
    struct suppression_frame *frame = &one->frames[one->frame_count];
    *frame = (struct suppression_frame){.what = SUPPRESSION_ANY};
    if (size == 3 && begins(text, size, "...")) {
        one->frame_count++;
        return 0;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const size_t skipped = strlen(words[i].word);
        if (!begins(text, size, words[i].word)) continue;
        frame->what = words[i].what;
        frame->pattern = strndup(text + skipped, size - skipped);
        if (!frame->pattern) return -ENOMEM;
        if (frame->what == SUPPRESSION_FUNCTION) {
            frame->pattern[strcspn(frame->pattern, "@")] = '\0'; // "realpath@@GLIBC_2.3"
            frame->demangled = demangle(frame->pattern);
        }
        one->frame_count++;
        return 0;
    }
    return wrong(self, "is no 'fun:', 'obj:', 'src:' or '...'");
}

static bool is_leak_tool(const char *text, size_t size)
{
    static const char tool[] = "Memcheck:Leak";
    static const char tools[] = "Memcheck,";
    if (size == strlen(tool) && begins(text, size, tool)) return true;
    // "Memcheck,Addrcheck:Leak"
    return begins(text, size, tools) && size > 5 && memcmp(text + size - 5, ":Leak", 5) == 0;
}

// What stands between the name and the closing brace.
static int read_body(struct reading *self, struct suppression *one, bool *is_leak_out)
{
    const char *text;
    size_t size;
    bool has_tool = false;
    int error = 0;
    while (!error && next_line(&self->lines, &text, &size)) {
        if (size == 0 || *text == '#') continue;
        if (size == 1 && *text == '}') return has_tool ? 0 : wrong(self, "says no tool");
        static const char kinds[] = "match-leak-kinds:";
        if (!has_tool) {
            has_tool = true;
            *is_leak_out = is_leak_tool(text, size);
        } else if (!*is_leak_out) {
            continue; // another tool's: its further lines are its own
        } else if (begins(text, size, kinds)) {
            error = read_kinds(self, text + strlen(kinds), size - strlen(kinds), &one->kinds);
        } else {
            error = read_frame(self, one, text, size);
        }
    }
    return error ? error : wrong(self, "has no closing brace");
}

static int read_valgrind(struct reading *self)
{
    const char *name = "";
    size_t size = 0;
    do {
        if (!next_line(&self->lines, &name, &size)) return wrong(self, "has no closing brace");
    } while (size == 0 || *name == '#');
    struct suppression one = begin_one(self, name, size);
    one.frames = calloc(SUPPRESSION_FRAMES_MAX, sizeof *one.frames);
    // Without a word on kinds memcheck means all of them.
    one.kinds = (1U << PROFILE_LEAK_KINDS) - 1;
    bool is_leak = false;
    int error = one.source && one.name && one.frames ? 0 : -ENOMEM;
    if (!error) error = read_body(self, &one, &is_leak);
    if (!error && is_leak) return append(self->self, &one);
    suppression_deinit(&one);
    return error;
}

static int read_all(struct reading *self)
{
    const char *text;
    size_t size;
    int error = 0;
    while (!error && next_line(&self->lines, &text, &size)) {
        if (self->self->count >= SUPPRESSIONS_MAX) return wrong(self, "is one too many");
        if (size == 0) continue;
        if (*text == '#') {
            error = read_comment(self, text, size);
        } else if (size == 1 && *text == '{') {
            error = read_valgrind(self);
        } else if (begins(text, size, "leak:")) {
            error = read_lsan(self, text, size);
        } else {
            error = wrong(self, "is neither 'leak:PATTERN' nor a block in braces");
        }
    }
    return error;
}

int suppressions_add(struct suppressions *self, enum suppression_origin origin, const char *source,
                     const char *text, size_t size, struct suppressions_problem *problem_out)
{
    struct reading reading = {
        .self = self,
        .origin = origin,
        .source = source,
        .lines = {.at = text, .end = text + size},
        .max_blocks = UINT64_MAX,
    };
    const int error = read_all(&reading);
    if (error == -EINVAL) {
        *problem_out = (struct suppressions_problem){reading.lines.number, reading.problem};
    }
    return error;
}
