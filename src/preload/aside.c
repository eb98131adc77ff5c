#include "preload/aside.h"

#include "os/pages.h"
#include "os/process.h"
#include "preload/dynamic_symbols.h"

#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>

#define OWN_NAME "libmete-preload.so"
#define OWN_LENGTH (sizeof OWN_NAME - 1)
#define VARIABLE "LD_PRELOAD="

// The initial stack: the number of arguments, they, a NULL, the environment, and a NULL (ABI).
extern void *__libc_stack_end; // ld.so's; no header declares it

// libc's functions of these names may be the sanitizer's own here, which is not ready yet; nor may
// the compiler make calls of them out of our loops.
#define KEEP_LOOP() __asm__ volatile("")

static bool begins_with(const char *text, const char *beginning)
{
    size_t i = 0;
    while (beginning[i] && text[i] == beginning[i]) i++;
    return !beginning[i];
}

// How much of it stands before a byte that `ends`, or before the end.
static size_t length_until(const char *text, const char *ends)
{
    size_t length = 0;
    while (text[length] && text[length] != ends[0] && text[length] != ends[1]) {
        KEEP_LOOP();
        length++;
    }
    return length;
}

static char *copy(char *to, const char *from, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        KEEP_LOOP();
        to[i] = from[i];
    }
    return to + length;
}

static const char *base_name(const char *path)
{
    const char *name = path;
    for (const char *at = path; *at; at++) {
        if (*at == '/') name = at + 1;
    }
    return name;
}

// Whether a loaded file of that path brings a malloc that must be the only one.
static bool is_sanitizer(const char *path)
{
    static const char names[][24] = {
        "libasan.so",       "libhwasan.so",       "libtsan.so",       "liblsan.so",
        "libclang_rt.asan", "libclang_rt.hwasan", "libclang_rt.tsan",
    };
    const char *name = base_name(path);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (begins_with(name, names[i])) return true;
    }
    return false;
}

// The first that is loaded is the program. Other sanitizers that are linked into it have a malloc
// that comes before ours, and bear us.
static bool is_sanitized(const struct link_map *program)
{
    struct dynamic_symbols symbols;
    if (!program) return false;
    if (dynamic_symbols_find(program, &symbols) &&
        dynamic_symbols_next(&symbols, "__tsan_init", NULL)) {
        return true;
    }
    for (const struct link_map *map = program; map; map = map->l_next) {
        if (is_sanitizer(map->l_name)) return true;
    }
    return false;
}

// Copies LD_PRELOAD's entry without us; returns its end, NULL when it does not name us.
static char *remove_own(const char *entry, char *entry_out)
{
    bool is_named = false;
    char *first = copy(entry_out, VARIABLE, sizeof VARIABLE - 1);
    char *end = first;
    for (const char *at = entry + sizeof VARIABLE - 1; *at;) {
        size_t length = length_until(at, " :");
        size_t before = length >= OWN_LENGTH ? length - OWN_LENGTH : 0;
        bool is_own = length >= OWN_LENGTH && begins_with(at + before, OWN_NAME) &&
                      (before == 0 || at[before - 1] == '/');
        is_named |= is_own;
        if (!is_own && length > 0) {
            if (end > first) *end++ = ':';
            end = copy(end, at, length);
        }
        at += length;
        if (*at) at++;
    }
    *end = '\0';
    return is_named ? end : NULL;
}

// What the kernel put on the stack that the program began with (ABI).
struct beginning {
    char **arguments;
    char **environment;
    size_t variable_count;
    const char *path; // as it was given to exec; NULL: it is not told
    bool has_loader;  // it was found by the kernel; else it is the loader that was started
};

static struct beginning beginning(void)
{
    const long *stack = __libc_stack_end;
    struct beginning self = {.arguments = (char **)(stack + 1)};
    self.environment = self.arguments + *stack + 1;
    while (self.environment[self.variable_count]) self.variable_count++;
    const ElfW(auxv_t) *entry = (const void *)(self.environment + self.variable_count + 1);
    for (; entry->a_type != AT_NULL; entry++) {
        if (entry->a_type == AT_EXECFN) self.path = (const char *)entry->a_un.a_val;
        if (entry->a_type == AT_BASE) self.has_loader = entry->a_un.a_val != 0;
    }
    return self;
}

// The environment without us; NULL: we are linked, or the whole machine preloads us.
static char **environment_without(const struct beginning *from)
{
    size_t preload = from->variable_count;
    for (size_t i = 0; i < from->variable_count; i++) {
        if (begins_with(from->environment[i], VARIABLE)) preload = i; // of several the last holds
    }
    if (preload == from->variable_count) return NULL;
    const char *entry = from->environment[preload];
    size_t array_size = (from->variable_count + 1) * sizeof(char *);
    size_t size = array_size + length_until(entry, "\0") + 1;
    char **fewer = pages_map((size + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE);
    if (!fewer) return NULL;
    char *left = (char *)fewer + array_size;
    const char *end = remove_own(entry, left);
    if (!end) return NULL;
    size_t kept = 0;
    for (size_t i = 0; i < from->variable_count; i++) {
        if (i != preload) fewer[kept++] = from->environment[i];
    }
    if (end > left + sizeof VARIABLE - 1) fewer[kept++] = left;
    fewer[kept] = NULL;
    return fewer;
}

// Whether the loader was started by its name and nothing but the program's behind it: it has taken
// its own name off the arguments, which still lies before them.
static bool is_plain_call(const struct beginning *from)
{
    const char *before = from->arguments[0] - 1; // the zero that ends what stands before
    size_t length = 0;
    while (before[-1 - (long)length]) length++;
    const char *name = base_name(before - length);
    return begins_with(name, "ld-linux") || begins_with(name, "ld.so") ||
           begins_with(name, "ld-2.");
}

// Begins the program anew, without us in its environment. Comes back when that cannot be.
static void begin_anew(void)
{
    struct beginning from = beginning();
    if (!from.has_loader && !is_plain_call(&from)) return; // its options are not known any more
    char **environment = environment_without(&from);
    if (!environment) return;
    if (!from.has_loader) {
        (void)process_exec(from.arguments[0], from.arguments, environment);
        return;
    }
    // By the path that led to it, so that it has the name that it had.
    if (from.path && process_is_running_file(from.path)) {
        (void)process_exec(from.path, from.arguments, environment);
    }
    char path[PATH_MAX];
    process_program(path, sizeof path);
    (void)process_exec(path, from.arguments, environment);
    (void)process_exec("/proc/self/exe", from.arguments, environment); // it was deleted
}

static void do_nothing(void) {}

// The loader calls it to learn where aside_look() is.
__attribute__((used)) static void (*look(void))(void)
{
    if (is_sanitized(_r_debug.r_map)) begin_anew();
    return do_nothing;
}

void aside_look(void) __attribute__((ifunc("look")));
