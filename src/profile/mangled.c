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

// Itanium C++ ABI, 5.1.5: <source-name> ::= <length> <identifier>. False: none begins there.
static bool take_source_name(const char **pattern, struct part *part_out)
{
    enum { SIZE_MAX_READ = 10000 };
    size_t size = 0;
    const char *at = *pattern;
    for (; isdigit((unsigned char)*at) && size < SIZE_MAX_READ; at++) {
        size = size * 10 + (size_t)(*at - '0');
    }
    if (size == 0) return false;
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
        {"St", "std"},
        {"Sa", "std::allocator"},
        {"Ss", "std::string"},
        {"12_GLOBAL__N_1", "(anonymous namespace)"},
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
    if (!isdigit((unsigned char)which) && which != '?') return false;
    *pattern += 2;
    *part_out = *last;
    part_out->is_destructor = what == 'D';
    return true;
}

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

// What follows the part in the name, or NULL where it is another.
static const char *match_part(const struct part *part, const char *name)
{
    if (part->is_destructor && *name++ != '~') return NULL;
    if (strncmp(name, part->begin, part->size) != 0) return NULL;
    name += part->size;
    const bool goes_on = isalnum((unsigned char)*name) || *name == '_' || *name == '$';
    return goes_on && !part->is_cut ? NULL : name;
}

// Whether the names that come later in the pattern do so here.
static bool has_rest(const char *pattern, const char *name)
{
    while (*pattern) {
        struct part part;
        if (!take_source_name(&pattern, &part)) {
            pattern++;
            continue;
        }
        while (*name && strncmp(name, part.begin, part.size) != 0) name++;
        if (!*name) return false;
        name += part.size;
    }
    return true;
}

// From a place where the name may begin.
static bool matches_from(const char *pattern, const char *name)
{
    struct part last = {0};
    for (;;) {
        struct part part;
        bool is_part = take_word(&pattern, &part) || take_source_name(&pattern, &part) ||
                       (last.begin && take_structor(&pattern, &last, &part));
        if (!is_part) return has_rest(pattern, name);
        if (last.begin) {
            name = skip_arguments(name);
            if (strncmp(name, "::", 2) != 0) return false;
            name += 2;
        }
        name = match_part(&part, name);
        if (!name) return false;
        last = part;
        last.is_destructor = false;
    }
}

bool mangled_is_pattern(const char *pattern)
{
    return strncmp(pattern, "_Z", 2) == 0 && strpbrk(pattern, "*?") != NULL;
}

bool mangled_matches(const char *pattern, const char *name)
{
    pattern += 2;
    if (*pattern == 'L') pattern++; // static
    if (*pattern == 'N') pattern += 1 + strspn(pattern + 1, "rVKRO");
    // Functions of templates tell what they give first: "void f<int>(int)".
    const size_t size = strcspn(name, "(");
    for (size_t i = 0; i <= size; i++) {
        if ((i == 0 || name[i - 1] == ' ') && matches_from(pattern, name + i)) return true;
    }
    return false;
}
