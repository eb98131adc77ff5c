#include "preload/alone.h"

#include "base/attributes.h"
#include "heap/heap.h"
#include "preload/export.h"
#include "preload/observe.h"

#include <dlfcn.h>
#include <grp.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <unistd.h>

// libc's functions of these names, or those of another library in between. Looked up before main():
// a child of _Fork() must not find the loader's lock held by a thread that it has not.
static struct {
    int (*setuid)(uid_t);
    int (*seteuid)(uid_t);
    int (*setreuid)(uid_t, uid_t);
    int (*setresuid)(uid_t, uid_t, uid_t);
    int (*setgid)(gid_t);
    int (*setegid)(gid_t);
    int (*setregid)(gid_t, gid_t);
    int (*setresgid)(gid_t, gid_t, gid_t);
    int (*setgroups)(size_t, const gid_t *);
    int (*initgroups)(const char *, gid_t);
    int (*unshare)(int);
    int (*setns)(int, int);
    int (*capset)(void *, const void *);
    int (*prctl)(int, unsigned long, unsigned long, unsigned long, unsigned long);
    pid_t (*_Fork)(void);
} next;

#define FIND(name) (*(void **)&next.name = dlsym(RTLD_NEXT, #name))

void alone_find(void)
{
    FIND(setuid);
    FIND(seteuid);
    FIND(setreuid);
    FIND(setresuid);
    FIND(setgid);
    FIND(setegid);
    FIND(setregid);
    FIND(setresgid);
    FIND(setgroups);
    FIND(initgroups);
    FIND(unshare);
    FIND(setns);
    FIND(capset);
    FIND(prctl);
    FIND(_Fork);
}

// The function `name`, passed through.
#define PASS(name, parameters, arguments)                                                          \
    EXPORT int name parameters                                                                     \
    {                                                                                              \
        if (UNLIKELY(!next.name)) alone_find();                                                    \
        heap_pause_helper();                                                                       \
        int result = next.name arguments;                                                          \
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

// What a thread of ours must not be left out of.
static bool is_of_rights(int option)
{
    return option == PR_SET_SECCOMP || option == PR_SET_NO_NEW_PRIVS ||
           option == PR_SET_SECUREBITS || option == PR_CAPBSET_DROP;
}

// The kernel takes five words, as libc does.
EXPORT int prctl(int option, ...)
{
    va_list list;
    va_start(list, option);
    unsigned long words[4];
    for (int i = 0; i < 4; i++) words[i] = va_arg(list, unsigned long);
    va_end(list);
    if (UNLIKELY(!next.prctl)) alone_find();
    bool pauses = is_of_rights(option);
    if (pauses) heap_pause_helper();
    if (option == PR_SET_SECCOMP && words[0] == SECCOMP_MODE_STRICT) observe_confined();
    int result = next.prctl(option, words[0], words[1], words[2], words[3]);
    if (option == PR_SET_SECCOMP && result == 0) heap_forbid_helper();
    if (pauses) heap_resume_helper();
    return result;
}

EXPORT pid_t _Fork(void)
{
    if (UNLIKELY(!next._Fork)) alone_find();
    heap_finish_helper();
    pid_t child = next._Fork();
    if (child == 0) {
        heap_fork_child_bare();
        observe_forked();
    }
    return child;
}
