#include "symbols/demangle.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// Not <libiberty/libiberty.h>: it declares much that clashes with libc.
#include <libiberty/demangle.h>

enum { OPTIONS = DMGL_PARAMS | DMGL_ANSI };

struct output {
    char *bytes; // DEMANGLE_MAX of them
    size_t len;  // len < DEMANGLE_MAX
    jmp_buf too_long;
};

// libiberty's writers cannot be told to stop, so that one is left in the middle.
static void write_part(const char *part, size_t len, void *opaque)
{
    struct output *output = opaque;
    if (len == 0) return; // then `part` may be NULL
    if (len >= DEMANGLE_MAX - output->len) longjmp(output->too_long, 1);
    memcpy(output->bytes + output->len, part, len);
    output->len += len;
}

static bool write_name(const char *mangled, struct output *output)
{
    // Rust first: its older names are correct C++ names too.
    if (setjmp(output->too_long)) return false;
    if (rust_demangle_callback(mangled, OPTIONS, write_part, output)) return true;
    output->len = 0;
    return cplus_demangle_v3_callback(mangled, OPTIONS, write_part, output) != 0;
}

char *demangle(const char *mangled)
{
    if (mangled[0] != '_' || (mangled[1] != 'Z' && mangled[1] != 'R')) return NULL;
    if (strnlen(mangled, DEMANGLE_MAX) == DEMANGLE_MAX) return NULL;
    struct output output = {.bytes = malloc(DEMANGLE_MAX)};
    if (!output.bytes) return NULL;
    if (!write_name(mangled, &output) || output.len == 0) {
        free(output.bytes);
        return NULL;
    }
    output.bytes[output.len] = '\0';
    char *name = realloc(output.bytes, output.len + 1);
    return name ? name : output.bytes;
}

// The suffix that ends at `end`, one of those a compiler makes: a dot, a word, perhaps a dot and a
// number. Its first byte, or `end` when there is none.
static size_t suffix_before(const char *symbol, size_t end)
{
    static const char *const words[] = {
        "cold", "part", "isra", "constprop", "lto_priv", "llvm", "localalias",
    };
    size_t dot = end;
    while (dot > 0 && symbol[dot - 1] != '.') dot--;
    if (dot <= 1) return end;
    size_t word_end = end;
    size_t first = dot;
    if (isdigit((unsigned char)symbol[end - 1])) {
        word_end = dot - 1;
        first = word_end;
        while (first > 0 && symbol[first - 1] != '.') first--;
        if (first <= 1) return end;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t len = strlen(words[i]);
        if (len == word_end - first && memcmp(symbol + first, words[i], len) == 0) return first - 1;
    }
    return end;
}

size_t demangle_stem(const char *symbol)
{
    size_t end = strcspn(symbol, "@");
    if (end == 0) return strlen(symbol);
    for (;;) {
        size_t before = suffix_before(symbol, end);
        if (before == end || before == 0) return end;
        end = before;
    }
}
