#include "symbols/fold.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// Deeper names are nobody's (a guess); they are not folded.
enum { DEPTH_MAX = 256, DECLARATORS_MAX = 4 };

// `at` moves from the beginning of a name to `end`, `out` grows by what is kept.
// Invariant: len <= at - beginning.
struct folding {
    const char *at;
    const char *end;
    char *out;
    size_t len;
    size_t component; // where in `out` the current component of the path begins
};

static bool is_part_of_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

static bool starts(const char *at, const char *end, const char *word)
{
    size_t len = strlen(word);
    return (size_t)(end - at) >= len && memcmp(at, word, len) == 0;
}

// The bytes of the operator's sign at `at`, just after the word; 0 for none.
static size_t sign_len(const char *at, const char *end)
{
    static const char *const signs[] = {
        "->*", "<=>", "<<=", ">>=", "()", "[]", "->", "<<", ">>", "<=", ">=", "==", "!=",
        "&&",  "||",  "++",  "--",  "+=", "-=", "*=", "/=", "%=", "^=", "&=", "|=", ",",
        "+",   "-",   "*",   "/",   "%",  "^",  "&",  "|",  "~",  "!",  "=",  "<",  ">",
    };
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        if (starts(at, end, signs[i])) return strlen(signs[i]);
    }
    return 0;
}

static const char *const operator_word = "operator";

// Whether the word `operator` stands at `at`, whose word begins at or after `begin`.
static bool is_operator(const char *begin, const char *at, const char *end)
{
    if (!starts(at, end, operator_word) || (at > begin && is_part_of_word(at[-1]))) return false;
    const char *next = at + strlen(operator_word);
    return next < end && !is_part_of_word(*next);
}

// Between < and >, what is no bracket although it looks like one.
static size_t passage_len(const char *begin, const char *at, const char *end)
{
    if (starts(at, end, "->")) return 2;
    if (*at == '\'' && end - at > 2 && at[2] == '\'') return 3;
    if (!is_operator(begin, at, end)) return 1;
    size_t word = strlen(operator_word);
    return word + sign_len(at + word, end);
}

// What follows the bracket that closes the one at `begin`; NULL when none does. In round, square
// and curly brackets < and > may be comparisons and are passed by.
static const char *after_bracket(const char *begin, const char *end)
{
    char expected[DEPTH_MAX];
    size_t depth = 0;
    const char *at = begin;
    while (at < end) {
        char c = *at;
        bool is_angle = depth == 0 || expected[depth - 1] == '>';
        const char *pair = strchr("()[]{}<>", c);
        if (depth > 0 && c == expected[depth - 1] && !(is_angle && at[-1] == '-')) {
            at++;
            if (--depth == 0) return at;
        } else if ((c == '(' || c == '[' || c == '{' || (c == '<' && is_angle)) && pair) {
            if (depth == DEPTH_MAX) return NULL;
            expected[depth++] = pair[1];
            at++;
        } else if (c == ')' || c == ']' || c == '}') {
            return NULL;
        } else {
            at += is_angle ? passage_len(begin, at, end) : 1;
        }
    }
    return NULL;
}

static void keep(struct folding *self, const char *text, size_t len)
{
    memcpy(self->out + self->len, text, len);
    self->len += len;
}

static void keep_until(struct folding *self, const char *next)
{
    keep(self, self->at, (size_t)(next - self->at));
    self->at = next;
}

static void keep_arguments(struct folding *self, const char *next)
{
    keep(self, "<>", strlen("<>"));
    self->at = next;
}

// A type up to `end`: all of it but template arguments.
static bool keep_type(struct folding *self, const char *end)
{
    const char *begin = self->at;
    while (self->at < end) {
        if (*self->at == '<' && self->at > begin && is_part_of_word(self->at[-1])) {
            const char *next = after_bracket(self->at, end);
            if (!next) return false;
            keep_arguments(self, next);
        } else {
            keep_until(self, self->at + 1);
        }
    }
    return true;
}

// Where the sign of a declarator stands: the '*' in "(*f(int))" or "(A::*)"; NULL: it is none.
static const char *declarator_sign(const char *bracket, const char *end)
{
    const char *at = bracket + 1;
    while (at < end && (is_part_of_word(*at) || starts(at, end, "::"))) at += *at == ':' ? 2 : 1;
    return at < end && (*at == '*' || *at == '&') ? at : NULL;
}

// Where the parameters of a conversion operator begin: brackets before them belong to its type.
static const char *conversion_end(const char *at, const char *end)
{
    while (at < end) {
        bool is_pointer = *at == '(' && declarator_sign(at, end);
        bool is_type = *at == '<' || *at == '[' || starts(at, end, "(anonymous") || is_pointer;
        if (*at == '(' && !is_type) return at;
        at = is_type ? after_bracket(at, end) : at + 1;
        // The parameters of the function that a pointer is to.
        if (at && at < end && is_pointer && *at == '(') at = after_bracket(at, end);
        if (!at) return NULL;
    }
    return NULL;
}

static bool keep_operator(struct folding *self)
{
    static const char *const words[] = {" new[]", " delete[]", " new", " delete", " co_await"};
    keep_until(self, self->at + strlen(operator_word));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (starts(self->at, self->end, words[i])) {
            keep_until(self, self->at + strlen(words[i]));
            return true;
        }
    }
    if (starts(self->at, self->end, "\"\"")) {
        size_t len = 2;
        while (self->at + len < self->end && !strchr("(<", self->at[len])) len++;
        keep_until(self, self->at + len);
    } else if (*self->at == ' ') {
        const char *end = conversion_end(self->at, self->end);
        return keep_type(self, end ? end : self->end);
    } else {
        keep_until(self, self->at + sign_len(self->at, self->end));
        // The demangler keeps "operator<" and its arguments apart, and so do we.
        if (starts(self->at, self->end, " <")) keep_until(self, self->at + 1);
    }
    return true;
}

// {lambda(int)#1}, {closure#0}, {unnamed type#1}
static bool keep_braces(struct folding *self)
{
    static const char lambda[] = "{lambda";
    const char *next = after_bracket(self->at, self->end);
    if (!next) return false;
    if (!starts(self->at, next, lambda)) {
        keep_until(self, next);
        return true;
    }
    const char *number = next - 1;
    while (number > self->at && isdigit((unsigned char)number[-1])) number--;
    keep(self, lambda, strlen(lambda));
    self->at = number[-1] == '#' ? number - 1 : next - 1;
    keep_until(self, next);
    return true;
}

// A component that begins with <: Rust's <Type as Trait> and <impl Trait for Type>, its arguments
// as in function::<Type>, or a lambda as DWARF calls it.
static bool keep_angles(struct folding *self)
{
    const char *next = after_bracket(self->at, self->end);
    if (!next) return false;
    if (starts(self->at, next, "<lambda")) {
        keep(self, "{lambda}", strlen("{lambda}"));
        self->at = next;
    } else if (self->len >= 2 && !starts(self->at, next, "<impl ")) {
        self->len -= 2;
        keep_arguments(self, next);
    } else {
        keep_until(self, self->at + 1);
        if (!keep_type(self, next - 1)) return false;
        keep_until(self, next);
    }
    return true;
}

// Past what may follow parameters; whether the path goes on.
static bool pass_qualifiers(struct folding *self)
{
    static const char *const words[] = {
        " const", " volatile", " restrict", " noexcept", " &&", " &",
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (starts(self->at, self->end, words[i])) self->at += strlen(words[i]);
    }
    return starts(self->at, self->end, "::");
}

// Of `(*name(parameters))(…)`, a function that returns a pointer to a function, the inside.
static bool enter_declarator(struct folding *self, const char *next)
{
    const char *at = declarator_sign(self->at, next);
    if (!at) return false;
    while (at < next && (*at == '*' || *at == '&' || *at == ' ')) at++;
    self->at = at;
    self->end = next - 1;
    return true;
}

// What may stand only where a component begins. Sets *is_kept when it was such a thing.
static bool keep_special(struct folding *self, unsigned *declarators, bool *is_kept)
{
    static const char anonymous[] = "(anonymous namespace)";
    *is_kept = true;
    if (starts(self->at, self->end, anonymous)) {
        keep_until(self, self->at + strlen(anonymous));
        return true;
    }
    if (is_operator(self->at, self->at, self->end)) return keep_operator(self);
    if (*self->at == '{') return keep_braces(self);
    if (*self->at == '<') return keep_angles(self);
    if (*self->at == '(') {
        const char *next = after_bracket(self->at, self->end);
        if (!next) return false;
        if (*declarators < DECLARATORS_MAX && enter_declarator(self, next)) {
            ++*declarators;
        } else {
            keep_until(self, next);
        }
        return true;
    }
    *is_kept = false;
    return true;
}

// A bracket within a component: template arguments, parameters, an ABI tag.
static bool pass_bracket(struct folding *self, bool *is_done)
{
    static const char decltype_word[] = "decltype";
    const char *next = after_bracket(self->at, self->end);
    if (!next) return false;
    if (*self->at == '<') {
        keep_arguments(self, next);
    } else if (starts(self->at, next, "[abi:")) {
        self->at = next;
    } else if (*self->at == '[' || self->at[-1] == '.') {
        keep_until(self, next); // Go: runtime.(*mcache).refill
    } else {
        size_t len = self->len - self->component;
        bool is_type = starts(self->out + self->component, self->out + self->len, decltype_word) &&
                       len == strlen(decltype_word);
        self->at = next;
        *is_done = !is_type && !pass_qualifiers(self);
    }
    return true;
}

static bool fold_name(struct folding *self)
{
    unsigned declarators = 0;
    bool is_done = false;
    while (self->at < self->end && !is_done) {
        if (self->len == self->component) {
            bool is_kept;
            if (!keep_special(self, &declarators, &is_kept)) return false;
            if (is_kept) continue;
        }
        char c = *self->at;
        if (c == '<' || c == '(' || c == '[') {
            if (!pass_bracket(self, &is_done)) return false;
        } else if (starts(self->at, self->end, "::")) {
            keep_until(self, self->at + 2);
            self->component = self->len;
        } else if (starts(self->at, self->end, " [clone ")) {
            is_done = true;
        } else if (c == ' ') {
            // What came before was a return type.
            self->at++;
            self->len = 0;
            self->component = 0;
        } else if (c == '>' || c == ')' || c == ']' || c == '}') {
            return false;
        } else {
            keep_until(self, self->at + 1);
        }
    }
    return self->len > 0;
}

char *fold(const char *name)
{
    size_t len = strlen(name);
    struct folding folding = {.at = name, .end = name + len, .out = malloc(len + 1)};
    if (!folding.out) return NULL;
    if (!fold_name(&folding)) {
        memcpy(folding.out, name, len);
        folding.len = len;
    }
    folding.out[folding.len] = '\0';
    return folding.out;
}
