// Start: what the preload object does before main() and after it. The heap needs none of this to
// work; malloc() is called long before any constructor runs.

#include "base/settings.h"
#include "base/text.h"
#include "heap/heap.h"
#include "os/clock.h"
#include "os/console.h"
#include "os/thread.h"
#include "preload/alone.h"
#include "preload/aside.h"
#include "preload/deepbind.h"
#include "preload/figures.h"
#include "preload/image.h"
#include "preload/mappings.h"
#include "preload/neighbour.h"
#include "preload/observe.h"
#include "preload/perturb.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>

struct start {
    bool prints_figures; // at exit
    bool forks_alone;    // by one thread at a time
    bool ends_at_last;   // a handler does what the destructor would else
};
static struct start start;

// glibc's own variables (mallopt(3)) and the setting that each is. METE= may overrule them.
static const struct {
    const char *name;
    const char *key;
} glibc_names[] = {
    {"MALLOC_MMAP_THRESHOLD_", "direct_size"},
    {"MALLOC_TRIM_THRESHOLD_", "dirty_keep"},
    {"MALLOC_PERTURB_", "perturb"},
};

static void warn(void *context, const struct settings_problem *problem)
{
    (void)context;
    char line[SETTINGS_PROBLEM_SIZE];
    console_write(line, settings_problem_text(problem, line));
}

// NULL when there is none. Not getenv(): libc's environ may not be set this early.
static const char *find_variable(char **environment, const char *name)
{
    size_t len = strlen(name);
    for (char **entry = environment; entry != NULL && *entry != NULL; entry++) {
        if (strncmp(*entry, name, len) == 0 && (*entry)[len] == '=') return *entry + len + 1;
    }
    return NULL;
}

// 16 and more for what is no digit in any base.
static size_t digit_value(char c)
{
    if (c >= '0' && c <= '9') return (size_t)(c - '0');
    if (c >= 'a' && c <= 'f') return (size_t)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F') return (size_t)(c - 'A') + 10;
    return 16;
}

// As glibc reads its variables: blanks, a sign, then digits: hexadecimal after 0x, octal after 0.
// It stops at what is no digit, without any it reads 0, and past SIZE_MAX it stays there.
static size_t read_number(const char *text)
{
    while (*text == ' ' || *text == '\t') text++;
    bool is_negative = *text == '-';
    if (*text == '-' || *text == '+') text++;
    size_t base = *text == '0' ? 8 : 10;
    if (base == 8 && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
    }
    size_t value = 0;
    for (; digit_value(*text) < base; text++) {
        if (__builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, digit_value(*text), &value)) {
            value = SIZE_MAX;
            break;
        }
    }
    return is_negative ? -value : value;
}

static bool set_glibc_variable(struct settings *settings, const struct setting *row,
                               const char *words)
{
    size_t number = read_number(words);
    // To glibc a threshold may be anything: -1 is no limit.
    if (row->kind == SETTING_SIZE && number > row->max) number = row->max;
    char buffer[24];
    struct text decimal = text_in(buffer, sizeof buffer);
    text_add_decimal(&decimal, number);
    const char *reason;
    // glibc ignores what is out of bounds, without a word.
    return settings_set(settings, row, decimal.bytes, decimal.length, &reason);
}

static void read_glibc_variables(struct settings *settings, char **environment)
{
    for (size_t i = 0; i < sizeof glibc_names / sizeof glibc_names[0]; i++) {
        const char *value = find_variable(environment, glibc_names[i].name);
        const struct setting *row = settings_find(glibc_names[i].key, strlen(glibc_names[i].key));
        if (!value || !row || !set_glibc_variable(settings, row, value)) continue;
        if (row->offset == offsetof(struct settings, dirty_keep)) settings->keep_exact = true;
    }
}

static void apply(const struct settings *settings, int argument_count, char **arguments)
{
    struct heap_settings heap = {
        .direct_size_min = settings->direct_size,
        .dirty_bytes_keep = settings->dirty_keep,
        .is_keep_exact = settings->keep_exact,
        .purge_delay_ms = (unsigned)settings->purge_delay_ms,
        .use_helper = settings->helper,
    };
    heap_configure(&heap);
    perturb_set((int)settings->perturb);
    start.prints_figures = settings->stats;
    observe_begin(settings, argument_count, arguments); // the rest holds already
}

static void read_environment(struct settings *settings, char **environment)
{
    read_glibc_variables(settings, environment);
    const char *text = find_variable(environment, "METE");
    if (text) settings_parse(settings, text, warn, NULL);
}

// libc's lock over all of its streams, which malloc's own fork handling takes before its arenas: a
// thread that flushes all streams holds it and waits for one whose owner waits for our locks.
extern void _IO_list_lock(void);
extern void _IO_list_unlock(void);
extern void _IO_list_resetlock(void);

// A lone thread takes none of the locks: it may be forking in a handler that interrupted their
// holder.
static void prepare_fork(void)
{
    start.forks_alone = thread_is_alone();
    if (!start.forks_alone) _IO_list_lock();
    heap_fork_prepare();
}

static void resume_parent(void)
{
    heap_fork_parent();
    if (!start.forks_alone) _IO_list_unlock();
}

static void resume_child(void)
{
    heap_fork_child();
    if (!start.forks_alone) _IO_list_resetlock();
    deepbind_forked();
    observe_forked();
}

// Of the C++ ABI.
extern int __cxa_atexit(void (*handler)(void *), void *argument, void *module);

// The first handler that there is, so that libc calls it last: after all destructors; or in a
// second thread that ends the process while the first is in one of them. A third one must find it,
// too, while the second is here: libc would end the process then and there.
static void end_at_last(void *unused)
{
    static _Atomic bool is_over;
    if (!atomic_load(&is_over)) (void)__cxa_atexit(end_at_last, NULL, NULL);
    const struct preserved_registers caller = registers_preserved();
    observe_end(&caller);
    atomic_store(&is_over, true);
    (void)unused;
}

// glibc hands a constructor what main() gets.
__attribute__((constructor)) static void start_process(int argc, char **argv, char **environment)
{
    aside_look();
    // First of all handlers where the loader lets us be (see meson.build): then those of libraries
    // run while the heap is not locked, in the parent before ours and in the child after it.
    // It fails only for want of memory, in which case fork() works while one thread is alone.
    (void)pthread_atfork(prepare_fork, resume_parent, resume_child);

    start.ends_at_last = __cxa_atexit(end_at_last, NULL, NULL) == 0;

    neighbour_find();
    alone_find();
    clock_find();
    mappings_find();
    image_find();

    struct settings settings;
    settings_init(&settings);
    // The one who runs a setuid program must not decide how it behaves.
    if (!getauxval(AT_SECURE)) read_environment(&settings, environment);
    apply(&settings, argc, argv);
}

__attribute__((destructor)) static void end_process(void)
{
    if (start.prints_figures) figures_print();
    if (start.ends_at_last) return;
    const struct preserved_registers caller = registers_preserved();
    observe_end(&caller);
}
