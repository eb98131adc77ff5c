#include "preload/image.h"

#include "base/align.h"
#include "base/attributes.h"
#include "os/pages.h"
#include "preload/export.h"
#include "preload/observe.h"
#include "track/ledger.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

// Looked up before main(), as in alone.c: exec and _exit are called in children of threads.
static struct {
    int (*execve)(const char *, char *const *, char *const *);
    int (*execv)(const char *, char *const *);
    int (*execvp)(const char *, char *const *);
    int (*execvpe)(const char *, char *const *, char *const *);
    int (*fexecve)(int, char *const *, char *const *);
    int (*execveat)(int, const char *, char *const *, char *const *, int);
    void (*_exit)(int);
    void (*quick_exit)(int);
    int (*daemon)(int, int);
} next;

#define FIND(name) (*(void **)&next.name = dlsym(RTLD_NEXT, #name))

void image_find(void)
{
    FIND(execve);
    FIND(execv);
    FIND(execvp);
    FIND(execvpe);
    FIND(fexecve);
    FIND(execveat);
    FIND(_exit);
    FIND(quick_exit);
    FIND(daemon);
}

// --- exec
// -------------------------------------------------------------------------------------------

// The function `name`, passed through; it comes back only when it failed.
#define PASS(name, parameters, arguments)                                                          \
    EXPORT int name parameters                                                                     \
    {                                                                                              \
        if (UNLIKELY(!next.name)) image_find();                                                    \
        bool is_over = ledger_end(RECORD_EXECED, NULL);                                            \
        if (!is_over) ledger_child_execs(1);                                                       \
        int result = next.name arguments;                                                          \
        if (is_over) ledger_stay();                                                                \
        if (!is_over) ledger_child_execs(-1);                                                      \
        return result;                                                                             \
    }

PASS(execve, (const char *path, char *const *arguments, char *const *environment),
     (path, arguments, environment))
PASS(execv, (const char *path, char *const *arguments), (path, arguments))
PASS(execvp, (const char *file, char *const *arguments), (file, arguments))
PASS(execvpe, (const char *file, char *const *arguments, char *const *environment),
     (file, arguments, environment))
PASS(fexecve, (int fd, char *const *arguments, char *const *environment),
     (fd, arguments, environment))
PASS(execveat,
     (int folder, const char *path, char *const *arguments, char *const *environment, int flags),
     (folder, path, arguments, environment, flags))

// Arguments given one by one, and a NULL. Few go onto the stack, which may be a handler's own.
enum { FEW = 64 };
struct words {
    char *few[FEW];
    char **all; // NULL: no memory
    size_t size;
};

static size_t count_words(va_list list)
{
    size_t count = 1; // the first
    while (va_arg(list, char *)) count++;
    return count;
}

// Up to the NULL and with it.
static void read_words(struct words *self, const char *first, va_list *list)
{
    va_list again;
    va_copy(again, *list);
    size_t count = count_words(again);
    va_end(again);
    self->size = align_up((count + 1) * sizeof(char *), PAGE_SIZE);
    self->all = count < FEW ? self->few : pages_map(self->size);
    if (!self->all) return;
    self->all[0] = (char *)(uintptr_t)first; // exec changes none
    for (size_t i = 1; i <= count; i++) self->all[i] = va_arg(*list, char *);
}

static int leave_words(struct words *self, int result)
{
    if (!self->all) errno = ENOMEM;
    if (self->all && self->all != self->few) (void)pages_unmap(self->all, self->size);
    return result;
}

EXPORT int execl(const char *path, const char *first, ...)
{
    struct words words;
    va_list list;
    va_start(list, first);
    read_words(&words, first, &list);
    va_end(list);
    return leave_words(&words, words.all ? execv(path, words.all) : -1);
}

EXPORT int execlp(const char *file, const char *first, ...)
{
    struct words words;
    va_list list;
    va_start(list, first);
    read_words(&words, first, &list);
    va_end(list);
    return leave_words(&words, words.all ? execvp(file, words.all) : -1);
}

EXPORT int execle(const char *path, const char *first, ...)
{
    struct words words;
    va_list list;
    va_start(list, first);
    read_words(&words, first, &list);
    char *const *environment = va_arg(list, char *const *);
    va_end(list);
    return leave_words(&words, words.all ? execve(path, words.all, environment) : -1);
}

// --- the end
// ----------------------------------------------------------------------------------------

EXPORT _Noreturn void _exit(int status)
{
    if (UNLIKELY(!next._exit)) image_find();
    const struct preserved_registers caller = registers_preserved();
    observe_end(&caller);
    next._exit(status);
    __builtin_unreachable();
}

EXPORT _Noreturn void _Exit(int status)
{
    _exit(status);
}

EXPORT _Noreturn void quick_exit(int status)
{
    if (UNLIKELY(!next.quick_exit)) image_find();
    const struct preserved_registers caller = registers_preserved();
    observe_quick_exit(&caller);
    next.quick_exit(status);
    __builtin_unreachable();
}

// The process goes on as its child, and ends itself within libc: it comes back only when it failed.
EXPORT int daemon(int keeps_folder, int keeps_files)
{
    if (UNLIKELY(!next.daemon)) image_find();
    const struct preserved_registers caller = registers_preserved();
    (void)observe_look_for_leaks(&caller, LEAKS_PERHAPS_AT_END); // the recording says it
    bool is_over = ledger_end(RECORD_ENDED, NULL);
    int result = next.daemon(keeps_folder, keeps_files);
    if (is_over && result != 0) ledger_stay();
    return result;
}
