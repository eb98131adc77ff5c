#include "os/thread_list.h"

#include "base/text.h"
#include "os/directory.h"
#include "os/syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

static long open_task_folder(long pid)
{
    char path[48];
    struct text text = text_in(path, sizeof path);
    text_add(&text, "/proc/");
    text_add_decimal(&text, (size_t)pid);
    text_add(&text, "/task");
    return syscall_4(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
}

static int read_number(const char *text)
{
    int number = 0;
    for (; *text >= '0' && *text <= '9'; text++) number = number * 10 + (*text - '0');
    return *text == '\0' ? number : 0;
}

struct listing {
    bool (*see)(void *context, int tid);
    void *context;
};

static bool see_name(void *context, const char *name)
{
    const struct listing *self = context;
    int tid = read_number(name);
    return tid == 0 || self->see(self->context, tid);
}

int thread_list_read(long pid, bool (*see)(void *context, int tid), void *context)
{
    struct listing listing = {see, context};
    long folder = open_task_folder(pid);
    if (folder < 0) return (int)folder;
    int error = directory_read((int)folder, see_name, &listing);
    (void)syscall_2(SYS_close, folder, 0);
    return error;
}

// Of another PID namespace there are processes in it, but not this one.
static bool has_proc(void)
{
    return syscall_4(SYS_faccessat, AT_FDCWD, (long)"/proc/version", F_OK, 0) == 0;
}

int thread_list_check(void)
{
    char ours[64];
    char theirs[sizeof ours];
    struct text text = text_in(ours, sizeof ours);
    text_add_decimal(&text, (size_t)syscall_2(SYS_getpid, 0, 0));
    text_add(&text, "/task/");
    text_add_decimal(&text, (size_t)syscall_2(SYS_gettid, 0, 0));
    long count = syscall_4(SYS_readlinkat, AT_FDCWD, (long)"/proc/thread-self", (long)theirs,
                           (long)sizeof theirs);
    if (count == -ENOENT && !has_proc()) return -ENOENT;
    return count == (long)text.length && memcmp(ours, theirs, text.length) == 0 ? 0 : -ESRCH;
}

bool thread_list_has_ended(long pid, int tid)
{
    char path[64];
    char words[512];
    struct text text = text_in(path, sizeof path);
    text_add(&text, "/proc/");
    text_add_decimal(&text, (size_t)pid);
    text_add(&text, "/task/");
    text_add_decimal(&text, (size_t)tid);
    text_add(&text, "/stat");
    long fd = syscall_4(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) return fd == -ENOENT || fd == -ESRCH;
    long count = syscall_4(SYS_read, fd, (long)words, sizeof words - 1, 0);
    (void)syscall_2(SYS_close, fd, 0);
    if (count <= 0) return count == -ESRCH;
    words[count] = '\0';
    const char *after_name = strrchr(words, ')'); // the name may hold anything
    return after_name && (after_name[2] == 'Z' || after_name[2] == 'X');
}
