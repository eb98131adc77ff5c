#include "os/shared_file.h"

#include "os/syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 // Linux 5.14
#endif

enum { ADDRESS_SPACE_SHARE = 8 };

static size_t limit_of(int resource)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    (void)syscall_4(SYS_prlimit64, 0, resource, 0, (long)&limit); // refused: none is known
    return limit.rlim_cur;
}

size_t shared_file_size_max(void)
{
    size_t file = limit_of(RLIMIT_FSIZE);
    size_t space = limit_of(RLIMIT_AS);
    if (space != RLIM_INFINITY) space /= ADDRESS_SPACE_SHARE;
    return file < space ? file : space;
}

static int map(int fd, size_t size, struct shared_file *file_out)
{
    long error = syscall_2(SYS_ftruncate, fd, (long)size);
    if (error < 0) return (int)error;
    long address = syscall_6(SYS_mmap, 0, (long)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (address < 0 && address >= -4095L) return (int)address;
    // What is recorded of a program is no part of its core dump.
    (void)syscall_4(SYS_madvise, address, (long)size, MADV_DONTDUMP, 0);
    *file_out = (struct shared_file){.bytes = (char *)address, .size = size};
    return 0;
}

int shared_file_create(const char *path, size_t size, struct shared_file *file_out)
{
    if (size > limit_of(RLIMIT_FSIZE)) return -EFBIG;
    const long flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    long fd = syscall_4(SYS_openat, AT_FDCWD, (long)path, flags, 0600);
    if (fd < 0) return (int)fd;
    int error = map((int)fd, size, file_out);
    (void)syscall_2(SYS_close, fd, 0); // the mapping keeps the file
    if (error) shared_file_remove(path);
    return error;
}

void shared_file_remove(const char *path)
{
    (void)syscall_4(SYS_unlinkat, AT_FDCWD, (long)path, 0, 0); // else an empty one is there
}

bool shared_file_populate(void *address, size_t size)
{
    return syscall_4(SYS_madvise, (long)address, (long)size, MADV_POPULATE_WRITE, 0) == 0;
}

void shared_file_detach(struct shared_file *self)
{
    const long flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    if (!self->bytes) return;
    // Refused only for want of memory, and then what was there is still there.
    (void)syscall_6(SYS_mmap, (long)self->bytes, (long)self->size, PROT_READ | PROT_WRITE, flags,
                    -1, 0);
}

void shared_file_close(struct shared_file *self)
{
    if (self->bytes) (void)syscall_2(SYS_munmap, (long)self->bytes, (long)self->size);
    *self = (struct shared_file){0};
}
