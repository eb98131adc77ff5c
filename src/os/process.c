#include "os/process.h"

#include "os/syscall.h"

#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>

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
        syscall_4(SYS_readlinkat, AT_FDCWD, (long)"/proc/self/exe", (long)text, (long)size - 1);
    text[length > 0 ? length : 0] = '\0';
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
