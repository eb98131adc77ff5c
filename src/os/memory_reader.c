#include "os/memory_reader.h"

#include "os/syscall.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

static int read_own(const struct memory_reader *self, uintptr_t address, void *out, size_t size)
{
    (void)self;
    memcpy(out, (const void *)address, size);
    return 0;
}

static int read_process(const struct memory_reader *self, uintptr_t address, void *out, size_t size)
{
    struct iovec local = {.iov_base = out, .iov_len = size};
    struct iovec remote = {.iov_base = (void *)address, .iov_len = size};
    long count = syscall_6(SYS_process_vm_readv, self->pid, (long)&local, 1, (long)&remote, 1, 0);
    if (count < 0) return (int)count;
    return (size_t)count == size ? 0 : -EFAULT; // a short read ended at a hole
}

struct memory_reader memory_reader_own(void)
{
    return (struct memory_reader){.read = read_own};
}

struct memory_reader memory_reader_process(int pid)
{
    return (struct memory_reader){.read = read_process, .pid = pid};
}
