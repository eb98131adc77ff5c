#include "profile/name.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct folding {
    const char *at;
    const char *full;
    char *out;
    size_t length;
    size_t capacity;
    size_t kept_angles;  // '<' that stand in the name: <T as Trait>
    bool has_conversion; // "operator bool": the spaces that follow part nothing
    bool is_done;
};

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

static void put(struct folding *self, const char *bytes, size_t size)
{
    if (size > self->capacity - 1 - self->length) size = self->capacity - 1 - self->length;
    memcpy(self->out + self->length, bytes, size);
    self->length += size;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

// The end of a group that begins at `text` with '(', '<' or '{', past its last byte; NULL if it has
// none. The arrow of an operator or a closure is no bracket.
static const char *group_end(const char *text)
{
    char open[64]; // deeper nesting is not folded
    size_t depth = 0;
    for (const char *at = text; *at; at++) {
        if (begins(at, "->")) {
            at++;
            continue;
        }
        if (*at == '(' || *at == '<' || *at == '{') {
            if (depth == sizeof open) return NULL;
            open[depth++] = *at;
        } else if (*at == ')' || *at == '>' || *at == '}') {
            const char partner = *at == ')' ? '(' : *at == '>' ? '<' : '{';
            // A comparison within parentheses opened what is never closed, or closes nothing.
            while (depth > 0 && open[depth - 1] == '<' && partner != '<') depth--;
            if (depth > 0 && open[depth - 1] != partner) continue;
            if (depth == 0) return NULL;
            if (--depth == 0) return at + 1;
        }
    }
    return NULL;
}

static bool is_after_operator(const struct folding *self)
{
    static const char word[] = "operator";
    const size_t size = sizeof word - 1;
    if (self->length < size || memcmp(self->out + self->length - size, word, size) != 0) {
        return false;
    }
    return self->length == size || !is_word(self->out[self->length - size - 1]);
}

// What stands behind the word operator. False: nothing of the kind.
static bool take_operator(struct folding *self)
{
    static const char *const symbols[] = {
        "()", "[]", "<=>", "<<=", ">>=", "->*", "->",     "<<",   ">>",        "<=",      ">=",
        "==", "!=", "&&",  "||",  "++",  "--",  "+=",     "-=",   "*=",        "/=",      "%=",
        "&=", "|=", "^=",  "<",   ">",   "=",   "!",      "+",    "-",         "*",       "/",
        "%",  "&",  "|",   "^",   "~",   ",",   " new[]", " new", " delete[]", " delete", "\"\" ",
    };
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        if (!begins(self->at, symbols[i])) continue;
        put(self, symbols[i], strlen(symbols[i]));
        self->at += strlen(symbols[i]);
        if (*self->at == ' ' && self->at[1] == '<') self->at++; // operator< <int>
        return true;
    }
    if (*self->at != ' ') return false;
    self->has_conversion = true;
    put(self, self->at++, 1);
    return true;
}

// Whether only qualifiers and clones come.
static bool is_end(const char *rest)
{
    static const char *const qualifiers[] = {" const", " volatile", " &&", " &", " noexcept"};
    for (size_t i = 0; i < sizeof qualifiers / sizeof *qualifiers; i++) {
        if (begins(rest, qualifiers[i])) rest += strlen(qualifiers[i]);
    }
    return !*rest || begins(rest, " [") || *rest == '[';
}

// Parameters, or a word in parentheses. False: not understood.
static bool take_parentheses(struct folding *self)
{
    static const char *const words[] = {"(anonymous namespace)", "(anonymous class)"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!begins(self->at, words[i])) continue;
        put(self, words[i], strlen(words[i]));
        self->at += strlen(words[i]);
        return true;
    }
    const char *end = group_end(self->at);
    if (!end || self->length == 0) return false;
    if (begins(end, "::")) {
        // A local of a function: only its name matters.
    } else if (is_end(end)) {
        self->is_done = true;
    } else if (*end == ' ') {
        self->length = 0; // decltype(…) before the name
        end++;
    } else {
        return false;
    }
    self->at = end;
    return true;
}

static bool take_angle(struct folding *self)
{
    const char before = self->length > 0 ? self->out[self->length - 1] : ' ';
    const bool is_of_a_name = is_word(before) || before == '}' || before == '~' ||
                              (self->length > 0 && strchr("<>=!+-*/%&|^)]", before));
    if (!is_of_a_name || (before == '<' && self->kept_angles > 0)) {
        put(self, self->at++, 1);
        self->kept_angles++;
        return true;
    }
    const char *end = group_end(self->at);
    if (!end) return false;
    put(self, "<>", 2);
    self->at = end;
    return true;
}

// {lambda(int)#1} as {lambda#1}
static bool take_braces(struct folding *self)
{
    const char *end = group_end(self->at);
    if (!end) return false;
    while (self->at < end) {
        const char *inner = *self->at == '(' ? group_end(self->at) : NULL;
        if (inner && inner <= end) {
            self->at = inner;
        } else {
            put(self, self->at++, 1);
        }
    }
    return true;
}

static bool take_one(struct folding *self)
{
    const char c = *self->at;
    if (self->kept_angles > 0 && c != '<' && c != '{') {
        if (c == '>' && !begins(self->at - 1, "->")) self->kept_angles--;
        put(self, self->at++, 1);
        return true;
    }
    if (is_after_operator(self) && !is_word(c) && take_operator(self)) return true;
    switch (c) {
    case '(': return take_parentheses(self);
    case '<': return take_angle(self);
    case '{': return take_braces(self);
    case '>':
    case ')':
    case '}': return false;
    case '[':
        if (self->length == 0 || !begins(self->at, "[abi:")) break;
        self->at += strcspn(self->at, "]");
        if (*self->at) self->at++;
        return true;
    case ' ':
        if (self->has_conversion) break;
        if (is_end(self->at)) {
            self->is_done = true;
        } else {
            self->length = 0; // the return type
            self->at++;
        }
        return true;
    default: break;
    }
    put(self, self->at++, 1);
    return true;
}

void name_fold(const char *full, char *name_out, size_t capacity)
{
    struct folding folding = {.at = full, .full = full, .out = name_out, .capacity = capacity};
    bool is_fine = true;
    while (is_fine && *folding.at && !folding.is_done) is_fine = take_one(&folding);
    if (!is_fine || folding.length == 0 || folding.kept_angles > 0) {
        (void)snprintf(name_out, capacity, "%s", full);
        return;
    }
    while (folding.length > 1 && name_out[folding.length - 1] == ' ') folding.length--;
    name_out[folding.length] = '\0';
}
