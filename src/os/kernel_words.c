#include "os/kernel_words.h"

#include "os/directory.h"
#include "os/syscall.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { CHUNK_SIZE = 4 * 1024, WORD_MAX = 64 };

// Reads words that blanks part, across the ends of chunks.
struct words {
    int fd;
    char chunk[CHUNK_SIZE];
    size_t size;
    size_t at;
};

static int next_byte(struct words *self)
{
    if (self->at == self->size) {
        long count = syscall_4(SYS_read, self->fd, (long)self->chunk, sizeof self->chunk, 0);
        if (count <= 0) return -1;
        self->size = (size_t)count;
        self->at = 0;
    }
    return (unsigned char)self->chunk[self->at++];
}

// The next one, cut to what fits. False at the end.
static bool next_word(struct words *self, char word[static WORD_MAX])
{
    size_t length = 0;
    int byte = next_byte(self);
    while (byte == ' ' || byte == '\t' || byte == '\n') byte = next_byte(self);
    for (; byte > ' '; byte = next_byte(self)) {
        if (length + 1 < WORD_MAX) word[length++] = (char)byte;
    }
    word[length] = '\0';
    return length > 0;
}

static uintptr_t read_hex(const char *text)
{
    uintptr_t value = 0;
    for (;; text++) {
        unsigned digit = (unsigned char)*text - (unsigned)'0';
        if (digit > 9) digit = (unsigned char)*text - (unsigned)'a' + 10;
        if (digit > 15) return value;
        value = value << 4 | digit;
    }
}

static int open_at(int folder, const char *name, int flags)
{
    return (int)syscall_4(SYS_openat, folder, (long)name, O_RDONLY | O_CLOEXEC | flags, 0);
}

// "tfd: 5 events: 19 data: 7f0011223344 …"
static void read_watched(int folder, const char *name, void (*see)(void *, uintptr_t),
                         void *context)
{
    struct words words = {.fd = open_at(folder, name, 0)};
    if (words.fd < 0) return;
    char word[WORD_MAX];
    while (next_word(&words, word)) {
        if (strcmp(word, "data:") == 0 && next_word(&words, word)) see(context, read_hex(word));
    }
    (void)syscall_2(SYS_close, words.fd, 0);
}

static bool is_epoll(int folder, const char *name)
{
    static const char epoll[] = "anon_inode:[eventpoll]";
    char target[sizeof epoll];
    long count = syscall_4(SYS_readlinkat, folder, (long)name, (long)target, sizeof target);
    return count == sizeof epoll - 1 && memcmp(target, epoll, sizeof epoll - 1) == 0;
}

struct descriptors {
    int files;
    int facts; // what /proc says of each
    void (*see)(void *context, uintptr_t word);
    void *context;
};

static bool look_at(void *context, const char *name)
{
    const struct descriptors *self = context;
    if (is_epoll(self->files, name)) read_watched(self->facts, name, self->see, self->context);
    return true;
}

static void read_epolls(void (*see)(void *, uintptr_t), void *context)
{
    struct descriptors all = {
        .files = open_at(AT_FDCWD, "/proc/thread-self/fd", O_DIRECTORY),
        .facts = open_at(AT_FDCWD, "/proc/thread-self/fdinfo", O_DIRECTORY),
        .see = see,
        .context = context,
    };
    if (all.files >= 0 && all.facts >= 0) (void)directory_read(all.files, look_at, &all);
    if (all.files >= 0) (void)syscall_2(SYS_close, all.files, 0);
    if (all.facts >= 0) (void)syscall_2(SYS_close, all.facts, 0);
}

// "signal: 34/00007f0011223344"
static void read_timers(void (*see)(void *, uintptr_t), void *context)
{
    struct words words = {.fd = open_at(AT_FDCWD, "/proc/self/timers", 0)};
    if (words.fd < 0) return; // a kernel without the list
    char word[WORD_MAX];
    while (next_word(&words, word)) {
        if (strcmp(word, "signal:") != 0 || !next_word(&words, word)) continue;
        const char *slash = strchr(word, '/');
        if (slash) see(context, read_hex(slash + 1));
    }
    (void)syscall_2(SYS_close, words.fd, 0);
}

void kernel_words_read(void (*see)(void *context, uintptr_t word), void *context)
{
    read_epolls(see, context);
    read_timers(see, context);
}
