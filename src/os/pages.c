#include "os/pages.h"

#include "base/align.h"
#include "base/panic.h"
#include "os/syscall.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

static bool is_error(long result)
{
    return (unsigned long)result >= (unsigned long)-4095L; // the kernel's range of -errno
}

void *pages_map(size_t size)
{
    long result = syscall_6(SYS_mmap, 0, (long)size, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!is_error(result)) return (void *)result;
    // ENOMEM: limits or memory; EAGAIN: mlockall with RLIMIT_MEMLOCK; EPERM, EACCES: a sandbox.
    if (result == -EINVAL) panic_plain("mmap refused its arguments");
    return NULL;
}

void *pages_map_aligned(size_t size, size_t align)
{
    if (size > PTRDIFF_MAX - align) return NULL;
    char *raw = pages_map(size + align - PAGE_SIZE);
    if (!raw) return NULL;
    char *start = (char *)align_up((uintptr_t)raw, align);
    size_t before = (size_t)(start - raw);
    size_t after = align - PAGE_SIZE - before;
    if (before)
        (void)pages_unmap(raw, before); // refused: untouched address space is wasted, no more
    if (after) (void)pages_unmap(start + size, after);
    return start;
}

bool pages_unmap(void *address, size_t size)
{
    long result = syscall_2(SYS_munmap, (long)address, (long)size);
    if (!is_error(result)) return true;
    if (result != -ENOMEM) panic_plain("munmap refused a range that was mapped");
    pages_purge(address, size);
    return false;
}

void pages_purge(void *address, size_t size)
{
    long result = syscall_4(SYS_madvise, (long)address, (long)size, MADV_DONTNEED, 0);
    if (!is_error(result)) return;
    // Locked pages (mlockall) are refused with EINVAL: they stay, and callers rely on zeroes.
    __builtin_memset(address, 0, size);
}

bool pages_remap(void *address, size_t old_size, size_t new_size, void *target)
{
    long flags = target ? MREMAP_MAYMOVE | MREMAP_FIXED : 0;
    return !is_error(syscall_6(SYS_mremap, (long)address, (long)old_size, (long)new_size, flags,
                               (long)target, 0));
}

enum pages_moved pages_move(void *address, size_t size, void *target)
{
    long flags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
    long result =
        syscall_6(SYS_mremap, (long)address, (long)size, (long)size, flags, (long)target, 0);
    if (!is_error(result)) return PAGES_MOVED;
    if (result == -EINVAL) return PAGES_STAYED; // an old kernel: it says so before anything else
    // Kernels up to 6.16 unmap the target before they find that the source is several mappings, or
    // that there is no memory for page tables.
    result = syscall_6(SYS_mmap, (long)target, (long)size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    return result == (long)target ? PAGES_STAYED : PAGES_TARGET_LOST;
}
