#include "symbols/debuginfod.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// Where the client finds its deadline again: libdebuginfod's callback carries nothing but the
// client, and this is asked from one thread of a process.
static struct {
    int64_t deadline;
} asked;

static int64_t now(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time); // this clock is always there
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

// Called about once a second while a server is waited for; not 0: give up.
static int progress(void *client, long done, long all)
{
    (void)client;
    (void)done;
    (void)all;
    return now() >= asked.deadline;
}

void debuginfod_init(struct debuginfod *self, int64_t milliseconds_max)
{
    *self = (struct debuginfod){.milliseconds_left = milliseconds_max};
}

void debuginfod_deinit(struct debuginfod *self)
{
    if (self->client) self->end(self->client);
    // The library stays: it may have threads and exit handlers.
    self->client = NULL;
}

typedef void (*any_function)(void);
typedef int (*progress_function)(void *client, long done, long all);

static any_function find(const struct debuginfod *self, const char *name)
{
    // ISO C knows no way from an object's address to a function's; POSIX makes this one work.
    any_function function;
    void *found = dlsym(self->library, name);
    memcpy(&function, &found, sizeof function);
    return function;
}

bool debuginfod_is_configured(void)
{
    const char *urls = getenv("DEBUGINFOD_URLS");
    return urls && urls[strspn(urls, " ")] != '\0';
}

static void load(struct debuginfod *self)
{
    self->is_tried = true;
    if (!debuginfod_is_configured()) return;
    self->library = dlopen("libdebuginfod.so.1", RTLD_LAZY | RTLD_LOCAL);
    if (!self->library) return;
    void *(*begin)(void) = (void *(*)(void))find(self, "debuginfod_begin");
    void (*watch)(void *, progress_function) =
        (void (*)(void *, progress_function))find(self, "debuginfod_set_progressfn");
    self->find_debuginfo = (int (*)(void *, const unsigned char *, int, char **))find(
        self, "debuginfod_find_debuginfo");
    self->find_executable = (int (*)(void *, const unsigned char *, int, char **))find(
        self, "debuginfod_find_executable");
    self->end = (void (*)(void *))find(self, "debuginfod_end");
    if (!begin || !watch || !self->find_debuginfo || !self->find_executable || !self->end) return;
    self->client = begin();
    if (self->client) watch(self->client, progress);
}

// Whether there is someone to ask and time to do it.
static bool is_ready(struct debuginfod *self, size_t size)
{
    if (size == 0 || size > INT_MAX || self->milliseconds_left <= 0) return false;
    if (!self->is_tried) load(self);
    return self->client != NULL;
}

static int ask(struct debuginfod *self, const uint8_t *id, size_t size, char **path_out,
               int (*question)(void *, const unsigned char *, int, char **))
{
    int64_t begin = now();
    asked.deadline = begin + self->milliseconds_left;
    char *path = NULL;
    int fd = question(self->client, id, (int)size, &path);
    self->milliseconds_left -= now() - begin;
    if (fd < 0 || !path) {
        if (fd >= 0) (void)close(fd); // it was only read
        free(path);
        return -1;
    }
    *path_out = path;
    return fd;
}

int debuginfod_debuginfo(struct debuginfod *self, const uint8_t *id, size_t size, char **path_out)
{
    return is_ready(self, size) ? ask(self, id, size, path_out, self->find_debuginfo) : -1;
}

int debuginfod_executable(struct debuginfod *self, const uint8_t *id, size_t size, char **path_out)
{
    return is_ready(self, size) ? ask(self, id, size, path_out, self->find_executable) : -1;
}
