#include "os/shared_file.h"

#include "base/align.h"
#include "os/pages.h"
#include "os/syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000 // Linux 4.17
#endif

enum { ADDRESS_SPACE_SHARE = 8 };

static size_t limit_of(int resource)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    (void)syscall_4(SYS_prlimit64, 0, resource, 0, (long)&limit); // refused: none is known
    return limit.rlim_cur;
}

struct shared_file_limit shared_file_limit(void)
{
    size_t file = limit_of(RLIMIT_FSIZE);
    size_t space = limit_of(RLIMIT_AS);
    if (space != RLIM_INFINITY) space /= ADDRESS_SPACE_SHARE;
    return file <= space ? (struct shared_file_limit){file, -EFBIG}
                         : (struct shared_file_limit){space, -ENOMEM};
}

static bool is_error(long result)
{
    return (unsigned long)result >= (unsigned long)-4095L; // the kernel's range of -errno
}

// --- mapping
// ----------------------------------------------------------------------------------------

static void unmap_first(const struct shared_file *self, unsigned piece_count)
{
    for (unsigned i = 0; i < piece_count; i++) {
        if (self->pieces[i].mapped == 0) continue;
        (void)syscall_2(SYS_munmap, (long)shared_file_piece(self, i), (long)self->pieces[i].mapped);
    }
}

// Where a file could begin whose pieces have nothing behind them: the kernel puts what others map
// beside what is there, near our own code, so a multiple of 1 TiB below it is nobody's. 0: none.
static uintptr_t far_place(unsigned attempt)
{
    static char own;
    const uintptr_t align = (uintptr_t)1 << 30; // all pieces in one page of page tables
    const uintptr_t distance = (uintptr_t)(attempt + 1) << 40;
    return (uintptr_t)&own > 2 * distance ? align_down((uintptr_t)&own, align) - distance : 0;
}

// Each piece at its place; false, and nothing is mapped, where something is there.
static bool map_apart(int fd, struct shared_file *self, uintptr_t place)
{
    // Before Linux 4.17 the flag means nothing, and what is mapped lies somewhere else.
    const long flags = MAP_SHARED | MAP_FIXED_NOREPLACE;
    self->bytes = (char *)place;
    for (unsigned i = 0; i < self->piece_count; i++) {
        char *start = shared_file_piece(self, i);
        size_t size = self->pieces[i].mapped;
        if (size == 0) continue;
        long address = syscall_6(SYS_mmap, (long)start, (long)size, PROT_READ | PROT_WRITE, flags,
                                 fd, start - self->bytes);
        if (address == (long)start) continue;
        if (!is_error(address)) (void)syscall_2(SYS_munmap, address, (long)size);
        unmap_first(self, i);
        return false;
    }
    return true;
}

// All of it, wherever the kernel likes.
static int map_whole(int fd, struct shared_file *self)
{
    long address =
        syscall_6(SYS_mmap, 0, (long)self->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (is_error(address)) return (int)address;
    self->bytes = (char *)address;
    for (unsigned i = 0; i < self->piece_count; i++) self->pieces[i].mapped = self->pieces[i].room;
    return 0;
}

static int map(int fd, struct shared_file *self)
{
    enum { TRIES = 16 }; // a forked child finds its parent's at the first
    bool is_mapped = false;
    for (unsigned i = 0; i < TRIES && !is_mapped; i++) {
        uintptr_t place = far_place(i);
        is_mapped = place != 0 && map_apart(fd, self, place);
    }
    int error = is_mapped ? 0 : map_whole(fd, self);
    if (error) return error;
    // What is recorded of a program is no part of its core dump.
    for (unsigned i = 0; i < self->piece_count; i++) {
        (void)syscall_4(SYS_madvise, (long)shared_file_piece(self, i), (long)self->pieces[i].mapped,
                        MADV_DONTDUMP, 0);
    }
    return 0;
}

int shared_file_create(const char *path, const struct shared_piece *pieces, unsigned piece_count,
                       struct shared_file *file_out)
{
    struct shared_file file = {.piece_count = piece_count};
    for (unsigned i = 0; i < piece_count; i++) {
        file.pieces[i] = pieces[i];
        file.size += pieces[i].room;
    }
    if (file.size > limit_of(RLIMIT_FSIZE)) return -EFBIG;
    const long flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    long fd = syscall_4(SYS_openat, AT_FDCWD, (long)path, flags, 0600);
    if (fd < 0) return (int)fd;
    int error = (int)syscall_2(SYS_ftruncate, fd, (long)file.size);
    if (!error) error = map((int)fd, &file);
    (void)syscall_2(SYS_close, fd, 0); // the mappings keep the file
    if (error) {
        shared_file_remove(path); // else an empty one is there
    } else {
        *file_out = file;
    }
    return error;
}

char *shared_file_piece(const struct shared_file *self, unsigned piece)
{
    size_t offset = 0;
    for (unsigned i = 0; i < piece; i++) offset += self->pieces[i].room;
    return self->bytes + offset;
}

// A mapping of a file grows into what follows in the file; no descriptor is needed for that. Where
// something is mapped it does not grow, and that stays.
bool shared_file_extend(struct shared_file *self, unsigned piece, size_t size)
{
    struct shared_piece *it = &self->pieces[piece];
    size_t before = __atomic_load_n(&it->mapped, __ATOMIC_RELAXED);
    if (size <= before) return true;
    if (size > it->room || self->is_detached) return false;
    long last = (long)(shared_file_piece(self, piece) + before - PAGE_SIZE);
    long whole = (long)(size - before + PAGE_SIZE);
    bool is_mapped = syscall_4(SYS_mremap, last, (long)PAGE_SIZE, whole, 0) == last;
    // Or it had grown when a handler jumped out of here.
    if (!is_mapped) is_mapped = pages_are_one_mapping((void *)last, (size_t)whole);
    // In one step: interrupted by a handler that forked, it may be the child's file by now.
    (void)(is_mapped && __atomic_compare_exchange_n(&it->mapped, &before, size, false,
                                                    __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return is_mapped;
}

void shared_file_remove(const char *path)
{
    (void)syscall_4(SYS_unlinkat, AT_FDCWD, (long)path, 0, 0); // not there: as it should be
}

void shared_file_detach(struct shared_file *self)
{
    const long flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    for (unsigned i = 0; self->bytes && i < self->piece_count; i++) {
        const struct shared_piece *it = &self->pieces[i];
        if (it->mapped == 0) continue;
        // Refused only for want of memory, and then what was there is still there.
        (void)syscall_6(SYS_mmap, (long)shared_file_piece(self, i), (long)it->mapped,
                        PROT_READ | PROT_WRITE, flags, -1, 0);
    }
    self->is_detached = true; // others' private memory behind it would be one mapping with it
}

void shared_file_close(struct shared_file *self)
{
    if (self->bytes) unmap_first(self, self->piece_count);
    *self = (struct shared_file){0};
}
