#include "preload/observe.h"

#include "base/attributes.h"
#include "base/text.h"
#include "os/console.h"
#include "os/error_words.h"
#include "preload/export.h"
#include "track/ledger.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

// The program's, where it has one and shows it (-rdynamic). Not by dlsym(), which allocates for the
// words that there is none.
extern const char *__lsan_default_suppressions(void) __attribute__((weak));
extern int __lsan_is_turned_off(void) __attribute__((weak));

static struct {
    bool is_on;
    bool ends_quickly; // end_quickly() will be called, as the first to ask for it after all others
    int (*dlclose)(void *);
    int (*pthread_create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
} state;

static const char *mend_of(int error)
{
    if (error == -EFBIG) return "raise ulimit -f";
    if (error == -ENOMEM) return "raise ulimit -v";
    if (error == -EMFILE) return "raise ulimit -n";
    if (error == -ENOSPC || error == -EDQUOT) {
        return "make room there, or METE=recording=NAME records elsewhere";
    }
    return "METE=recording=NAME records elsewhere";
}

// The path last: it may be as long as it likes.
static void warn(const char *path, int error)
{
    char line[512];
    struct text text = text_in(line, sizeof line - 1); // room for the line's end
    text_add(&text, "mete: nothing is recorded: ");
    text_add(&text, error_words(-error));
    text_add(&text, " (");
    text_add(&text, mend_of(error));
    text_add(&text, "): '");
    text_add(&text, path);
    text_add(&text, "'");
    line[text.length] = '\n';
    console_write(line, text.length + 1);
}

void observe_forked(void)
{
    if (state.is_on) ledger_forked();
}

void observe_confined(void)
{
    if (state.is_on) ledger_confine();
}

void observe_end(const struct preserved_registers *caller)
{
    if (state.is_on) (void)ledger_end(RECORD_ENDED, caller); // nothing is recorded: nothing to say
}

bool observe_is_on(void)
{
    return state.is_on;
}

bool observe_look_for_leaks(const struct preserved_registers *caller, enum leaks_moment moment)
{
    return state.is_on && ledger_look_for_leaks(caller, moment);
}

void observe_quick_exit(const struct preserved_registers *caller)
{
    if (!state.ends_quickly) observe_end(caller);
}

static void end_quickly(void)
{
    const struct preserved_registers caller = registers_preserved();
    observe_end(&caller);
}

// Where libc keeps what a thread was given: behind the function that it runs, whose place is told
// to debuggers in a row of three numbers (bits, count, bytes from the block's start; nptl_db).
static size_t find_argument_offset(void)
{
    const uint32_t *row = dlsym(RTLD_DEFAULT, "_thread_db_pthread_start_routine");
    const bool is_known = row && row[0] == 8 * sizeof(void *) && row[2] % sizeof(void *) == 0;
    return is_known ? row[2] + sizeof(void *) : 0;
}

void observe_begin(const struct settings *settings, int argument_count, char **arguments)
{
    if (!settings->observe) return;
    const struct recorder_options options = {
        .path = settings->recording[0] ? settings->recording : "%n.%p.%i.mete",
        .has_arguments = settings->arguments,
        .argument_count = argument_count,
        .arguments = arguments,
        .refused = warn,
    };
    const struct leaks_options leaks = {
        .argument_offset = find_argument_offset(),
        .suppressions = __lsan_default_suppressions,
        .is_turned_off = __lsan_is_turned_off,
    };
    int error = ledger_begin(&options, settings->leaks ? &leaks : NULL);
    state.is_on = error == 0;
    if (state.is_on) state.ends_quickly = at_quick_exit(end_quickly) == 0;
    if (error) warn(options.path, error);
}

EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument)
{
    if (UNLIKELY(!state.pthread_create)) {
        *(void **)&state.pthread_create = dlsym(RTLD_NEXT, "pthread_create");
    }
    if (state.is_on) ledger_thread_comes();
    return state.pthread_create(thread, attributes, start, argument);
}

// Nothing is to be known of dlopen: code that comes is found when it is first seen.
EXPORT int dlclose(void *handle)
{
    if (UNLIKELY(!state.dlclose)) *(void **)&state.dlclose = dlsym(RTLD_NEXT, "dlclose");
    int result = state.dlclose(handle);
    if (state.is_on) ledger_code_gone();
    return result;
}
