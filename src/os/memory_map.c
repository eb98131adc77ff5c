#include "os/memory_map.h"

#include "base/align.h"
#include "os/pages.h"
#include "os/syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

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

// What the kernel calls shared memory that was made by mmap, memfd_create, shmget and shm_open.
static bool is_memory(const char *path)
{
    static const char *const words[] = {"/dev/zero (deleted)", "/memfd:", "/SYSV", "/dev/shm/"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strncmp(path, words[i], strlen(words[i])) == 0) return true;
    }
    return false;
}

// "start-end rwxp offset major:minor inode path"
static bool read_line(const char *line, struct memory_region *region)
{
    const char *at = read_hex(line, '-', &region->start);
    at = at ? read_hex(at, ' ', &region->end) : NULL;
    if (!at || strlen(at) < 5) return false;
    region->is_readable = at[0] == 'r';
    region->is_writable = at[1] == 'w';
    region->is_executable = at[2] == 'x';
    region->is_shared = at[3] == 's';
    const char *inode = skip_word(skip_word(skip_word(at)));
    const char *path = skip_word(inode);
    region->is_anonymous = inode[0] == '0' && (inode[1] == ' ' || inode[1] == '\0');
    region->is_memory = is_memory(path);
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

// PAGEMAP_SCAN and what it takes, as in linux/fs.h of Linux 6.7.
struct scan_request {
    uint64_t size;
    uint64_t flags;
    uint64_t start;
    uint64_t end;
    uint64_t walk_end; // the kernel's: how far it came
    uint64_t runs;
    uint64_t run_count;
    uint64_t max_pages;
    uint64_t category_inverted;
    uint64_t category_mask;
    uint64_t category_anyof_mask;
    uint64_t return_mask;
};
#define SCAN_CALL _IOWR('f', 16, struct scan_request)
enum { SCAN_FILES = 1 << 2, SCAN_PRESENT = 1 << 3, SCAN_SWAPPED = 1 << 4 };

static bool scan(struct page_contents *self, uintptr_t start, uintptr_t end)
{
    struct scan_request request = {
        .size = sizeof request,
        .start = start,
        .end = align_up(end, PAGE_SIZE),
        .runs = (uint64_t)self->runs,
        .run_count = PAGE_CONTENTS_RUNS,
        .category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED,
        .return_mask = SCAN_FILES | SCAN_PRESENT | SCAN_SWAPPED,
    };
    long count = syscall_4(SYS_ioctl, self->fd, (long)SCAN_CALL, (long)&request, 0);
    if (count < 0 || request.walk_end <= start) return false;
    self->run_count = (size_t)count;
    self->first = start;
    self->end = request.walk_end;
    return true;
}

void page_contents_open(struct page_contents *self)
{
    self->fd = (int)open_for_reading("/proc/thread-self/pagemap");
    self->has_ioctl = self->fd >= 0;
    self->first = 0;
    self->end = 0;
    self->run_count = 0;
}

void page_contents_close(struct page_contents *self)
{
    if (self->fd >= 0) (void)syscall_2(SYS_close, self->fd, 0);
    self->fd = -1;
}

static bool is_own(const struct page_run *run)
{
    return (run->categories & SCAN_SWAPPED) || !(run->categories & SCAN_FILES);
}

// By the call. False where that does not work.
static bool next_by_call(struct page_contents *self, uintptr_t page, uintptr_t end,
                         struct page_run *run_out)
{
    *run_out = (struct page_run){0};
    while (page < end) {
        if ((page < self->first || page >= self->end) && !scan(self, page, end)) return false;
        for (size_t i = 0; i < self->run_count; i++) {
            const struct page_run *run = &self->runs[i];
            if (run->end <= page || !is_own(run)) continue;
            *run_out = *run;
            return true;
        }
        page = self->end;
    }
    return true;
}

// Whether the kernel's list of pages says that of the page. What lies past its end is no memory.
static bool has_contents(struct page_contents *self, uintptr_t page)
{
    if (page < self->first || page >= self->end) {
        uint64_t offset = (page >> PAGE_SHIFT) * sizeof self->entries[0];
        long count = syscall_4(SYS_pread64, self->fd, (long)self->entries,
                               (long)sizeof self->entries, (long)offset);
        if (count < 0) {
            page_contents_close(self);
            return true;
        }
        if (count == 0) return false;
        self->first = page;
        self->end = page + ((size_t)count / sizeof self->entries[0] << PAGE_SHIFT);
    }
    uint64_t entry = self->entries[(page - self->first) >> PAGE_SHIFT];
    return (entry & IS_SWAPPED) || ((entry & IS_PRESENT) && !(entry & IS_FILES));
}

static bool next_by_list(struct page_contents *self, uintptr_t page, uintptr_t end,
                         struct page_run *run_out)
{
    while (page < end && !has_contents(self, page)) page += PAGE_SIZE;
    run_out->start = page;
    while (page < end && has_contents(self, page)) page += PAGE_SIZE;
    run_out->end = page;
    return run_out->start < run_out->end;
}

bool page_contents_next(struct page_contents *self, uintptr_t start, uintptr_t end,
                        uintptr_t *start_out, uintptr_t *end_out)
{
    if (start >= end) return false;
    struct page_run run = {.start = start, .end = end};
    uintptr_t page = align_down(start, PAGE_SIZE);
    if (self->fd >= 0 && self->has_ioctl && !next_by_call(self, page, end, &run)) {
        self->has_ioctl = false;
        self->end = 0;
    }
    if (self->fd >= 0 && !self->has_ioctl) (void)next_by_list(self, page, end, &run);
    *start_out = run.start > start ? run.start : start;
    *end_out = run.end < end ? run.end : end;
    return *start_out < *end_out;
}

bool page_contents_next_shared(struct page_contents *self, uintptr_t start, uintptr_t end,
                               uintptr_t *start_out, uintptr_t *end_out)
{
    self->end = 0; // the buffer is another's now
    if (start >= end) return false;
    for (uintptr_t page = align_down(start, PAGE_SIZE); page < end;) {
        size_t count = (align_up(end, PAGE_SIZE) - page) >> PAGE_SHIFT;
        if (count > PAGE_CONTENTS_PAGES) count = PAGE_CONTENTS_PAGES;
        long error =
            syscall_4(SYS_mincore, (long)page, (long)(count << PAGE_SHIFT), (long)self->shared, 0);
        if (error) memset(self->shared, 1, count); // it does not say
        size_t first = 0;
        while (first < count && !(self->shared[first] & 1)) first++;
        size_t last = first;
        while (last < count && (self->shared[last] & 1)) last++;
        uintptr_t at = page + (first << PAGE_SHIFT);
        if (first < last && at < end) {
            *start_out = at > start ? at : start;
            *end_out = page + (last << PAGE_SHIFT);
            if (*end_out > end) *end_out = end;
            return true;
        }
        page += count << PAGE_SHIFT;
    }
    return false;
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
