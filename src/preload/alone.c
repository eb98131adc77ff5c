// Alone: calls that must find the process as its program made it.
// The helper is a thread that the kernel counts and libc does not know. Left to itself it would
// keep a root daemon's rights when the daemon gives them up; unshare() and setns() would be
// refused; and a child of _Fork(), which runs no handlers, might be made while it holds the heap's
// lock. So these calls of libc's pass through here, and the helper is ended first. It comes again
// afterwards, with the rights that are left.

#include "heap/heap.h"
#include "preload/export.h"

#include <dlfcn.h>
#include <grp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <unistd.h>

// libc's function of that name, or that of another library in between. It is there: the program
// calls it.
#define NEXT(name, function) (*(void **)&(function) = dlsym(RTLD_NEXT, #name))

// The function `name`, passed through.
#define PASS(name, parameters, arguments)                                                          \
    EXPORT int name parameters                                                                     \
    {                                                                                              \
        int(*next) parameters;                                                                     \
        NEXT(name, next);                                                                          \
        heap_pause_helper();                                                                       \
        int result = next arguments;                                                               \
        heap_resume_helper();                                                                      \
        return result;                                                                             \
    }

PASS(setuid, (uid_t uid), (uid))
PASS(seteuid, (uid_t uid), (uid))
PASS(setreuid, (uid_t real, uid_t effective), (real, effective))
PASS(setresuid, (uid_t real, uid_t effective, uid_t saved), (real, effective, saved))
PASS(setgid, (gid_t gid), (gid))
PASS(setegid, (gid_t gid), (gid))
PASS(setregid, (gid_t real, gid_t effective), (real, effective))
PASS(setresgid, (gid_t real, gid_t effective, gid_t saved), (real, effective, saved))
PASS(setgroups, (size_t count, const gid_t *groups), (count, groups))
PASS(initgroups, (const char *user, gid_t group), (user, group))
PASS(unshare, (int flags), (flags))
PASS(setns, (int fd, int type), (fd, type))

// No header declares it.
EXPORT int capset(void *header, const void *data);
PASS(capset, (void *header, const void *data), (header, data))

// Filters and securebits. The kernel takes five words, as libc does.
EXPORT int prctl(int option, ...)
{
    va_list list;
    va_start(list, option);
    unsigned long words[4];
    for (int i = 0; i < 4; i++) words[i] = va_arg(list, unsigned long);
    va_end(list);
    int (*next)(int, unsigned long, unsigned long, unsigned long, unsigned long);
    NEXT(prctl, next);
    bool is_change = option == PR_SET_SECCOMP || option == PR_SET_NO_NEW_PRIVS ||
                     option == PR_SET_SECUREBITS || option == PR_CAPBSET_DROP;
    if (is_change) heap_pause_helper();
    int result = next(option, words[0], words[1], words[2], words[3]);
    if (is_change) heap_resume_helper();
    return result;
}

EXPORT pid_t _Fork(void)
{
    pid_t (*next)(void);
    NEXT(_Fork, next);
    heap_finish_helper();
    return next();
}
