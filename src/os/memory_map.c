#include "os/memory_map.h"

#include "base/align.h"
#include "os/pages.h"
#include "os/syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define IS_PRESENT (UINT64_C(1) << 63)
#define IS_SWAPPED (UINT64_C(1) << 62)
#define IS_FILES (UINT64_C(1) << 61) // or of shared memory

enum { BUFFER_SIZE = 16 * 1024 }; // a line has at most a path, of 4 KiB with every byte escaped

static long open_for_reading(const char *path)
{
    return syscall_4(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0);
}

static long read_some(int fd, void *out, size_t size)
{
    long count;
    do {
        count = syscall_4(SYS_read, fd, (long)out, (long)size, 0);
    } while (count == -EINTR);
    return count;
}

// --- regions
// -------------------------------------------------------------------------------------

// Reads hexadecimal digits and what follows them; NULL: there are none, or `after` does not follow.
static const char *read_hex(const char *text, char after, uintptr_t *value_out)
{
    uintptr_t value = 0;
    const char *at = text;
    for (;; at++) {
        unsigned digit = (unsigned char)*at - (unsigned)'0';
        if (digit > 9) digit = (unsigned char)*at - (unsigned)'a' + 10;
        if (digit > 15) break;
        value = value << 4 | digit;
    }
    *value_out = value;
    return at > text && *at == after ? at + 1 : NULL;
}

static const char *skip_word(const char *text)
{
    while (*text && *text != ' ') text++;
    while (*text == ' ') text++;
    return text;
}

// "start-end rwxp offset major:minor inode path"
static bool read_line(const char *line, struct memory_region *region)
{
    const char *at = read_hex(line, '-', &region->start);
    at = at ? read_hex(at, ' ', &region->end) : NULL;
    if (!at || strlen(at) < 5) return false;
    region->is_readable = at[0] == 'r';
    region->is_writable = at[1] == 'w';
    region->is_shared = at[3] == 's';
    const char *inode = skip_word(skip_word(skip_word(at)));
    const char *path = skip_word(inode);
    region->is_anonymous = inode[0] == '0' && (inode[1] == ' ' || inode[1] == '\0');
    region->is_initial_stack = strcmp(path, "[stack]") == 0;
    return true;
}

struct lines {
    bool (*see)(void *context, const struct memory_region *region);
    void *context;
    size_t length; // of what is in the buffer
    char buffer[BUFFER_SIZE];
};

// Takes the whole lines out of the buffer. False: enough was seen.
static bool take_lines(struct lines *self)
{
    size_t begin = 0;
    bool goes_on = true;
    for (size_t i = 0; i < self->length && goes_on; i++) {
        if (self->buffer[i] != '\n') continue;
        self->buffer[i] = '\0';
        struct memory_region region;
        if (read_line(&self->buffer[begin], &region)) goes_on = self->see(self->context, &region);
        begin = i + 1;
    }
    memmove(self->buffer, &self->buffer[begin], self->length - begin);
    self->length -= begin;
    return goes_on;
}

int memory_map_read(bool (*see)(void *context, const struct memory_region *region), void *context)
{
    long fd = open_for_reading("/proc/thread-self/maps");
    if (fd < 0) return (int)fd;
    struct lines lines;
    lines.see = see;
    lines.context = context;
    lines.length = 0;
    long count;
    do {
        size_t room = sizeof lines.buffer - lines.length;
        count = room > 0 ? read_some((int)fd, &lines.buffer[lines.length], room) : -E2BIG;
        if (count > 0) lines.length += (size_t)count;
    } while (count > 0 && take_lines(&lines));
    (void)syscall_2(SYS_close, fd, 0);
    return count < 0 ? (int)count : 0;
}

// --- pages
// ---------------------------------------------------------------------------------------

void page_contents_open(struct page_contents *self)
{
    self->fd = (int)open_for_reading("/proc/thread-self/pagemap");
    self->counts_shared = false;
    self->first = 0;
    self->count = 0;
}

void page_contents_close(struct page_contents *self)
{
    if (self->fd >= 0) (void)syscall_2(SYS_close, self->fd, 0);
    self->fd = -1;
}

// Whether the kernel says that of the page.
static bool has_contents(struct page_contents *self, uintptr_t page)
{
    size_t index = (page - self->first) >> PAGE_SHIFT;
    if (page < self->first || index >= self->count) {
        uint64_t offset = (page >> PAGE_SHIFT) * sizeof self->entries[0];
        long count = syscall_4(SYS_pread64, self->fd, (long)self->entries,
                               (long)sizeof self->entries, (long)offset);
        self->first = page;
        self->count = count > 0 ? (size_t)count / sizeof self->entries[0] : 0;
        if (self->count == 0) {
            page_contents_close(self);
            return true;
        }
        index = 0;
    }
    uint64_t entry = self->entries[index];
    if (entry & IS_SWAPPED) return true;
    return (entry & IS_PRESENT) && (self->counts_shared || !(entry & IS_FILES));
}

bool page_contents_next(struct page_contents *self, uintptr_t start, uintptr_t end,
                        uintptr_t *start_out, uintptr_t *end_out)
{
    if (start >= end) return false;
    if (self->fd < 0) {
        *start_out = start;
        *end_out = end;
        return true;
    }
    uintptr_t page = align_down(start, PAGE_SIZE);
    while (page < end && !has_contents(self, page)) page += PAGE_SIZE;
    if (page >= end) return false;
    *start_out = page > start ? page : start;
    while (page < end && has_contents(self, page)) page += PAGE_SIZE;
    *end_out = page < end ? page : end;
    return true;
}

// --- as a file
// -----------------------------------------------------------------------------------

int memory_open_own(void)
{
    long fd = open_for_reading("/proc/thread-self/mem");
    return fd < 0 ? -1 : (int)fd;
}

void memory_close_own(int fd)
{
    if (fd >= 0) (void)syscall_2(SYS_close, fd, 0);
}

bool memory_read_own(int fd, uintptr_t start, void *out, size_t size)
{
    if (fd < 0) return false;
    return syscall_4(SYS_pread64, fd, (long)out, (long)size, (long)start) == (long)size;
}
