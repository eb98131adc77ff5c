// Mappings: counts what the program asks of the kernel by libc's own names, and passes it on. What
// libc does for itself (thread stacks, the loader) goes by other names and is not seen.
#include "preload/mappings.h"
#include "base/attributes.h"
#include "preload/export.h"
#include "track/ledger.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

// libc's functions of these names, or those of another library in between.
static struct {
    void *(*mmap)(void *, size_t, int, int, int, off_t);
    int (*munmap)(void *, size_t);
    void *(*mremap)(void *, size_t, size_t, int, ...);
    int (*brk)(void *);
    void *(*sbrk)(intptr_t);
} next;

#define FIND(name)                                                                                 \
    do {                                                                                           \
        if (UNLIKELY(!next.name)) *(void **)&next.name = dlsym(RTLD_NEXT, #name);                  \
    } while (0)

void mappings_find(void)
{
    FIND(mmap);
    FIND(munmap);
    FIND(mremap);
    FIND(brk);
    FIND(sbrk);
}

static void *map(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    FIND(mmap);
    void *place = next.mmap(address, size, protection, flags, fd, offset);
    if (place != MAP_FAILED) ledger_count_mapping(MAPPING_MMAP, size);
    return place;
}

// Both of libc's names, of which the headers let us write one: off_t has 64 bits either way.
EXPORT void *exported_mmap(void *address, size_t size, int protection, int flags, int fd,
                           off_t offset) __asm__("mmap");
void *exported_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    return map(address, size, protection, flags, fd, offset);
}

EXPORT void *exported_mmap64(void *address, size_t size, int protection, int flags, int fd,
                             off_t offset) __asm__("mmap64");
void *exported_mmap64(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    return map(address, size, protection, flags, fd, offset);
}

EXPORT int munmap(void *address, size_t size)
{
    FIND(munmap);
    int result = next.munmap(address, size);
    if (result == 0) ledger_count_mapping(MAPPING_MUNMAP, size);
    return result;
}

EXPORT void *mremap(void *address, size_t old_size, size_t new_size, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    void *wish = va_arg(more, void *); // nonsense unless MREMAP_FIXED: libc reads it so, too
    va_end(more);
    FIND(mremap);
    void *place = next.mremap(address, old_size, new_size, flags, wish);
    if (place != MAP_FAILED) ledger_count_mapping(MAPPING_MREMAP, new_size);
    return place;
}

EXPORT int brk(void *end)
{
    FIND(brk);
    FIND(sbrk);
    uintptr_t before = (uintptr_t)next.sbrk(0);
    int result = next.brk(end);
    if (result == 0)
        ledger_count_mapping(MAPPING_BRK, (uintptr_t)end > before ? (uintptr_t)end - before : 0);
    return result;
}

EXPORT void *sbrk(intptr_t step)
{
    FIND(sbrk);
    void *before = next.sbrk(step);
    // Without a step it is a question.
    if (step != 0 && before != (void *)-1)
        ledger_count_mapping(MAPPING_BRK, step > 0 ? (size_t)step : 0);
    return before;
}
