#include "os/pages.h"

#include "base/align.h"
#include "base/panic.h"
#include "os/syscall.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 // Linux 5.14
#endif

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

bool pages_populate(void *address, size_t size)
{
    return syscall_4(SYS_madvise, (long)address, (long)size, MADV_POPULATE_WRITE, 0) == 0;
}

void pages_advise_huge(void *address, size_t size)
{
    (void)syscall_4(SYS_madvise, (long)address, (long)size, MADV_HUGEPAGE, 0);
}

bool pages_wipe_on_fork(void *address, size_t size)
{
    return syscall_4(SYS_madvise, (long)address, (long)size, MADV_WIPEONFORK, 0) == 0;
}

// Growing by a page is refused with EFAULT for several, before anything else is looked at.
bool pages_are_one_mapping(void *address, size_t size)
{
    long result = syscall_4(SYS_mremap, (long)address, (long)size, (long)(size + PAGE_SIZE), 0);
    if (result == (long)address) {
        (void)pages_unmap((char *)address + size, PAGE_SIZE); // refused: a page is lost
        return true;
    }
    return result == -ENOMEM || result == -EAGAIN; // no room there, or a limit
}

bool pages_remap(void *address, size_t old_size, size_t new_size)
{
    return !is_error(syscall_4(SYS_mremap, (long)address, (long)old_size, (long)new_size, 0));
}

static enum pages_moved move_to(void *address, size_t old_size, size_t new_size, void *target,
                                long flags)
{
    // Programs split theirs by madvise and mlock, and moved pages keep the borders that they had.
    // Only one can be moved as a whole: Linux up to 6.16 refuses several, and later ones move them
    // one by one, so that a failure leaves some here and some there.
    if (!pages_are_one_mapping(address, old_size)) return PAGES_STAYED;
    long result = syscall_6(SYS_mremap, (long)address, (long)old_size, (long)new_size,
                            MREMAP_MAYMOVE | MREMAP_FIXED | flags, (long)target, 0);
    if (!is_error(result)) return PAGES_MOVED;
    if (result == -EINVAL) return PAGES_STAYED; // an old kernel: it says so before anything else
    // Kernels up to 6.16 unmap the target before they find that there is no memory for page tables.
    result = syscall_6(SYS_mmap, (long)target, (long)new_size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    return result == (long)target ? PAGES_STAYED : PAGES_TARGET_LOST;
}

enum pages_moved pages_remap_to(void *address, size_t old_size, size_t new_size, void *target)
{
    return move_to(address, old_size, new_size, target, 0);
}

enum pages_moved pages_move(void *address, size_t size, void *target)
{
    return move_to(address, size, size, target, MREMAP_DONTUNMAP);
}

// The kernel reads the set of signals before it looks at what to do with it. Sandboxes that kill
// for process_vm_readv allow this one, and it needs no descriptor.
bool pages_are_readable(uintptr_t address)
{
    const long no_such_thing = -1;
    long word = (long)align_down(address, sizeof(uint64_t));
    return syscall_4(SYS_rt_sigprocmask, no_such_thing, word, 0, sizeof(uint64_t)) == -EINVAL;
}

bool pages_protect(void *address, size_t size, int protection)
{
    return !is_error(syscall_4(SYS_mprotect, (long)address, (long)size, protection, 0));
}
