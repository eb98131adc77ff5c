#include "os/process.h"

#include "os/syscall.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#define RUNNING_FILE "/proc/self/exe"

uint32_t process_id(void)
{
    return (uint32_t)syscall_2(SYS_getpid, 0, 0);
}

uint32_t process_parent_id(void)
{
    return (uint32_t)syscall_2(SYS_getppid, 0, 0);
}

uint32_t process_thread_id(void)
{
    return (uint32_t)syscall_2(SYS_gettid, 0, 0);
}

void process_program(char *text, size_t size)
{
    long length =
        syscall_4(SYS_readlinkat, AT_FDCWD, (long)RUNNING_FILE, (long)text, (long)size - 1);
    text[length > 0 ? length : 0] = '\0';
}

static bool look_at(const char *path, struct stat *file)
{
    return syscall_4(SYS_newfstatat, AT_FDCWD, (long)path, (long)file, 0) == 0;
}

bool process_is_running_file(const char *path)
{
    struct stat file;
    struct stat running;
    return look_at(path, &file) && look_at(RUNNING_FILE, &running) &&
           file.st_dev == running.st_dev && file.st_ino == running.st_ino;
}

int process_exec(const char *path, char *const *arguments, char *const *environment)
{
    return (int)syscall_4(SYS_execve, (long)path, (long)arguments, (long)environment, 0);
}

// Whether the path names the running file, and not merely a descriptor of it.
static bool has_its_name(const char *path)
{
    if (!path || !strchr(path, '/')) return false;
    if (strncmp(path, "/dev/fd/", 8) == 0 || strncmp(path, "/proc/", 6) == 0) return false;
    return process_is_running_file(path);
}

void process_name(const char *argument, char *text, size_t size)
{
    const char *path = (const char *)getauxval(AT_EXECFN);
    char program[PATH_MAX];
    if (!has_its_name(path)) path = argument;
    if (!has_its_name(path)) {
        process_program(program, sizeof program);
        path = program;
    }
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t length = strlen(name);
    if (length >= size) length = size - 1;
    memcpy(text, name, length);
    text[length] = '\0';
}

void process_directory(char *text, size_t size)
{
    if (syscall_2(SYS_getcwd, (long)text, (long)size) < 0) text[0] = '\0';
}

void process_host(char *text, size_t size)
{
    struct utsname names;
    text[0] = '\0';
    if (syscall_2(SYS_uname, (long)&names, 0) < 0) return;
    size_t length = strlen(names.nodename);
    if (length >= size) length = size - 1;
    memcpy(text, names.nodename, length);
    text[length] = '\0';
}

void process_thread_name(char name[static PROCESS_THREAD_NAME_SIZE])
{
    memset(name, 0, PROCESS_THREAD_NAME_SIZE);
    (void)syscall_4(SYS_prctl, PR_GET_NAME, (long)name, 0, 0);
}

long process_seccomp_mode(void)
{
    long mode = syscall_6(SYS_prctl, PR_GET_SECCOMP, 0, 0, 0, 0, 0);
    if (mode == 0) return 0; // whoever gives up privileges alone filters nothing
    return mode | syscall_6(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0, 0) << 8;
}

int process_set_signal_stack(const stack_t *stack, stack_t *old)
{
    return (int)syscall_2(SYS_sigaltstack, (long)stack, (long)old);
}

bool process_is_on_signal_stack(uintptr_t *start_out)
{
    stack_t stack = {.ss_flags = SS_ONSTACK};
    (void)syscall_2(SYS_sigaltstack, 0, (long)&stack); // refused: it may be
    if (start_out) *start_out = stack.ss_flags & SS_DISABLE ? 0 : (uintptr_t)stack.ss_sp;
    return stack.ss_flags & SS_ONSTACK;
}
