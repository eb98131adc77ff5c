#include "profile/mangled.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

// One name of those that a pattern tells, as the demangler writes it.
struct part {
    const char *begin;
    size_t size;
    bool is_cut; // by a '*' or '?': more letters follow
    bool is_destructor;
};

static bool is_letter(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$';
}

// --- the pattern

// Itanium C++ ABI, 5.1.5: <source-name> ::= <length> <identifier>. False: none begins there.
static bool take_source_name(const char **pattern, struct part *part_out)
{
    enum { SIZE_MAX_READ = 10000 };
    size_t size = 0;
    const char *at = *pattern;
    for (; isdigit((unsigned char)*at) && size < SIZE_MAX_READ; at++) {
        size = size * 10 + (size_t)(*at - '0');
    }
    const bool is_name = is_letter(*at) || *at == '*' || *at == '?';
    if (size == 0 || !is_name || isdigit((unsigned char)*at)) return false;
    const size_t told = strcspn(at, "*?");
    *part_out = (struct part){.begin = at, .size = size < told ? size : told};
    part_out->is_cut = part_out->size < size;
    *pattern = at + part_out->size;
    return true;
}

// Substitutions that are names (5.1.10), and what compilers call nameless namespaces.
static bool take_word(const char **pattern, struct part *part_out)
{
    static const char *const words[][2] = {
        {"St", "std"},           {"Sa", "std::allocator"},
        {"Ss", "std::string"},   {"Sb", "std::basic_string"},
        {"So", "std::ostream"},  {"Si", "std::istream"},
        {"Sd", "std::iostream"}, {"12_GLOBAL__N_1", "(anonymous namespace)"},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const size_t size = strlen(words[i][0]);
        if (strncmp(*pattern, words[i][0], size) != 0) continue;
        *pattern += size;
        *part_out = (struct part){.begin = words[i][1], .size = strlen(words[i][1])};
        return true;
    }
    return false;
}

// Constructors and destructors have their class's name (5.1.5.3).
static bool take_structor(const char **pattern, const struct part *last, struct part *part_out)
{
    const char what = **pattern;
    if (what != 'C' && what != 'D') return false;
    const char which = (*pattern)[1];
    if (!isdigit((unsigned char)which) && which != '?' && which != '*') return false;
    *pattern += which == '*' ? 1 : 2;
    *part_out = *last;
    part_out->is_destructor = what == 'D';
    return true;
}

// Past what has digits or letters of its own that are no names: "S1_", "T_", "Lb1E", "A8_" (5.1.5,
// 5.1.10). False: none of these begins there.
static bool skip_code(const char **pattern)
{
    const char *at = *pattern;
    const char kind = *at++;
    if (kind == 'L') {
        if (islower((unsigned char)*at)) at++; // its type
        if (*at == 'n') at++;                  // negative
        while (isdigit((unsigned char)*at)) at++;
        if (*at != 'E') return false;
    } else if (kind == 'S' || kind == 'T' || kind == 'A') {
        while (isdigit((unsigned char)*at) || (kind == 'S' && isupper((unsigned char)*at))) at++;
        if (*at != '_') return false;
    } else {
        return false;
    }
    *pattern = at + 1;
    return true;
}

// --- the name

// Past the template arguments, if there are any.
static const char *skip_arguments(const char *name)
{
    int depth = 0;
    if (*name != '<') return name;
    for (; *name; name++) {
        if (*name == '<') depth++;
        if (*name == '>' && --depth == 0) return name + 1;
    }
    return name;
}

static bool begins(const char *text, const char *word)
{
    return strncmp(text, word, strlen(word)) == 0;
}

// Where the function's own name begins, with its scopes: behind what it gives, which functions of
// templates tell ("void ns::f<int>(int)").
static const char *own_name(const char *name)
{
    static const char nameless[] = "(anonymous namespace)";
    const char *start = name;
    int depth = 0;
    for (const char *at = name; *at; at++) {
        const bool is_operator = begins(at, "operator") && !is_letter(at[strlen("operator")]) &&
                                 (at == name || !is_letter(at[-1]));
        if (depth == 0 && is_operator) return start; // blanks and '<' may be part of that
        if (begins(at, nameless)) {
            at += strlen(nameless) - 1;
            continue;
        }
        if (depth == 0 && *at == '(') return start;
        if (*at == '<') depth++;
        if (*at == '>') depth--;
        if (depth == 0 && *at == ' ') start = at + 1;
    }
    return start;
}

// --- both

// What follows the part in the name, or NULL where it is another.
static const char *match_part(const struct part *part, const char *name)
{
    if (part->is_destructor && *name++ != '~') return NULL;
    if (strncmp(name, part->begin, part->size) != 0) return NULL;
    name += part->size;
    return is_letter(*name) && !part->is_cut ? NULL : name;
}

// The text in the name, from there on; what follows it, or NULL.
static const char *find(const char *name, const char *text, size_t size)
{
    for (; *name; name++) {
        if (strncmp(name, text, size) == 0) return name + size;
    }
    return NULL;
}

// What stands behind a '*' may be part of a name: "*Cache*". It is none where a counted name comes
// next ("*RK7QString"), where the pattern ends with it and so with what is given ("*Ev"), or where
// it begins as a substitution does ("*SaI*", "*S1_*"). Its size; 0: it is none.
static size_t text_behind_star(const char *pattern)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    const size_t size = strspn(pattern, letters);
    const char *end = pattern + size;
    if (size == 0 || isdigit((unsigned char)*end) || (*pattern == 'E' && !*end)) return 0;
    if (*pattern == 'S' && size > 1 && strchr("tasbiod", pattern[1])) {
        return pattern[2] == 'I' || pattern[2] == 'E' || size == 2 ? 0 : size;
    }
    const bool is_short = size <= 3 && end[-1] == '_'; // "S_", "S1_" has a digit, "SA_"
    return is_short && (*pattern == 'S' || *pattern == 'T') ? 0 : size;
}

// Whether the names that come later in the pattern do so here.
static bool has_rest(const char *pattern, const char *name)
{
    bool is_behind_star = false;
    while (*pattern && name) {
        struct part part;
        const size_t size = is_behind_star ? text_behind_star(pattern) : 0;
        is_behind_star = *pattern == '*' || *pattern == '?';
        if (size > 0) {
            name = find(name, pattern, size);
            pattern += size;
        } else if (take_source_name(&pattern, &part)) {
            name = find(name, part.begin, part.size);
        } else if (!skip_code(&pattern)) {
            pattern++;
        }
    }
    return name != NULL;
}

static bool has_source_name(const char *pattern)
{
    struct part part;
    while (*pattern) {
        if (take_source_name(&pattern, &part)) return true;
        if (!skip_code(&pattern)) pattern++;
    }
    return false;
}

// What is told of arguments, and what is given, is taken to fit; but the name must end where the
// pattern's does.
static bool matches_end(const char *pattern, const char *name, bool is_nested)
{
    const bool is_open = *pattern == '*' || *pattern == '?' || *pattern == 'I';
    const bool is_ended = is_nested ? *pattern == 'E' : !is_open;
    const char *end = skip_arguments(name);
    if (is_ended && *end && *end != '(' && *end != '[') return false;
    // A free function, or one of a template: none of a scope of that name.
    if (!is_nested && begins(end, "::")) return false;
    // Operators have codes of two small letters (5.1.5.3).
    const bool is_operator = islower((unsigned char)*pattern) && isalpha((unsigned char)pattern[1]);
    if (is_nested && is_operator && !begins(end, "::operator")) return false;
    return has_rest(pattern, name);
}

// What is told first is no name. Or nothing is told but that it is a name of C++'s, or in a scope.
static bool matches_any(const char *pattern, const char *whole, const char *own, bool is_nested)
{
    const bool is_any = *pattern == '*' || *pattern == '?';
    if (!is_any) return has_source_name(pattern) && has_rest(pattern, whole);
    const char *scope = strstr(own, "::");
    const char *parameters = strchr(own, '(');
    if (!scope && (is_nested || !parameters)) return false;
    return has_rest(pattern, own);
}

bool mangled_is_pattern(const char *pattern)
{
    return begins(pattern, "_Z") && strpbrk(pattern, "*?") != NULL;
}

bool mangled_matches(const char *pattern, const char *name)
{
    pattern += 2;
    if (*pattern == 'L') pattern++; // static
    const bool is_nested = *pattern == 'N';
    if (is_nested) pattern += 1 + strspn(pattern + 1, "rVKRO");
    const char *whole = name;
    name = own_name(whole);
    struct part last = {0};
    for (;;) {
        struct part part;
        if (*pattern == 'L' && isdigit((unsigned char)pattern[1])) pattern++; // static, in a scope
        bool is_part = take_word(&pattern, &part) || take_source_name(&pattern, &part) ||
                       (last.begin && take_structor(&pattern, &last, &part));
        if (!is_part && !last.begin) return matches_any(pattern, whole, name, is_nested);
        if (!is_part) return matches_end(pattern, name, is_nested);
        if (last.begin) {
            name = skip_arguments(name);
            if (!begins(name, "::")) return false;
            name += 2;
        }
        name = match_part(&part, name);
        if (!name) return false;
        last = part;
        last.is_destructor = false;
    }
}
