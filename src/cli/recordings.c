#include "cli/recordings.h"

#include "cli/liveness.h"
#include "record/tables.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FORKS_READ_MAX = 16 }; // a guess

// Reads decimal digits without leading zeroes up to the byte `end`.
static bool number_read(const char **text, char end, unsigned *number_out)
{
    unsigned number = 0;
    const char *at = *text;
    if (*at < '1' || *at > '9') return false;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(number, 10U, &number) ||
            __builtin_add_overflow(number, (unsigned)(*at - '0'), &number)) {
            return false;
        }
    }
    if (*at != end || number > INT_MAX) return false;
    *text = at + 1;
    *number_out = number;
    return true;
}

bool recording_parse_name(const char *name, pid_t *pid_out, unsigned *image_out)
{
    unsigned pid = 0;
    unsigned image = 0;
    const char *at = name;
    if (!number_read(&at, '.', &pid) || !number_read(&at, '.', &image)) return false;
    if (strcmp(at, "mete") != 0) return false;
    *pid_out = (pid_t)pid;
    *image_out = image;
    return true;
}

// What is known of a file: what it is, and whether somebody writes to it.
static enum liveness look_at(int folder, struct recording *item, const char *name)
{
    enum liveness liveness = LIVENESS_UNKNOWN;
    const int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return liveness;
    struct stat file;
    if (fstat(fd, &file) == 0 && S_ISREG(file.st_mode)) {
        // First: what it says of itself is whole only when nobody writes any more.
        liveness = liveness_of_file(fd);
        item->facts = recording_facts_read(fd);
    }
    close(fd);
    return liveness;
}

static int by_pid_and_image(const void *a, const void *b)
{
    const struct recording *left = a;
    const struct recording *right = b;
    if (left->pid != right->pid) return left->pid < right->pid ? -1 : 1;
    return (left->image > right->image) - (left->image < right->image);
}

static int add(struct recordings *self, const char *folder, const char *name,
               const struct recording *item)
{
    struct recording *items = realloc(self->items, (self->count + 1) * sizeof *items);
    if (!items) return -ENOMEM;
    self->items = items;
    items[self->count] = *item;
    if (asprintf(&items[self->count].path, "%s/%s", folder, name) < 0) return -ENOMEM;
    self->count++;
    return 0;
}

// Marks the recordings that a process's mappings name; *is_open_out: whether they could be read.
static void mark_mapped(struct recordings *self, const char *folder, const char *maps_path,
                        bool *is_open_out)
{
    FILE *maps = fopen(maps_path, "re");
    *is_open_out = maps != NULL || errno == ENOENT || errno == ESRCH;
    if (!maps) return;
    // A line may show another path, from another root; the folder's own name is one of a kind.
    const char *needle = strrchr(folder, '/');
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, maps) > 0) {
        const char *at = strstr(line, needle);
        if (!at || at[strlen(needle)] != '/') continue;
        const char *name = at + strlen(needle) + 1;
        for (size_t i = 0; i < self->count; i++) {
            const char *own = strrchr(self->items[i].path, '/') + 1;
            const size_t len = strlen(own);
            if (strncmp(name, own, len) == 0 && (name[len] == '\n' || name[len] == ' ')) {
                self->items[i].is_alive = true;
            }
        }
    }
    free(line);
    (void)fclose(maps);
}

// Finds out which recordings are still written to where their file system does not say: those that
// some process has mapped. A pid alone says little, for it may be another's by now, or count in
// another namespace.
static void mark_alive(struct recordings *self, const char *folder)
{
    DIR *processes = opendir("/proc");
    if (!processes) return;
    const struct dirent *entry;
    while ((entry = readdir(processes))) {
        unsigned pid = 0;
        const char *at = entry->d_name;
        if (!number_read(&at, '\0', &pid)) continue;
        char path[64];
        (void)snprintf(path, sizeof path, "/proc/%u/maps", pid);
        bool is_open = false;
        mark_mapped(self, folder, path, &is_open);
        // Closed to us since it has become another user's: then the pid must do.
        for (size_t i = 0; !is_open && i < self->count; i++) {
            if ((unsigned)self->items[i].pid == pid) self->items[i].is_alive = true;
        }
    }
    closedir(processes);
}

// Whether it can be that somebody still writes to it.
static bool may_be_alive(const struct recording *item, pid_t main_pid)
{
    if (item->pid == main_pid) return false; // it has been waited for
    return !item->facts.has_process || item->facts.state == RECORD_RUNNING;
}

static int find_in(struct recordings *self, const struct live_folder *folder, pid_t main_pid)
{
    DIR *opened = live_folder_list(folder);
    if (!opened) return -errno;
    int error = 0;
    bool is_unknown = false;
    const struct dirent *entry;
    while (!error && (entry = readdir(opened))) {
        struct recording item = {.is_in_memory = folder->is_in_memory};
        if (!recording_parse_name(entry->d_name, &item.pid, &item.image)) continue;
        const enum liveness liveness = look_at(folder->fd, &item, entry->d_name);
        item.is_alive = liveness == LIVENESS_SOME;
        is_unknown |= liveness == LIVENESS_UNKNOWN && may_be_alive(&item, main_pid);
        error = add(self, folder->path, entry->d_name, &item);
    }
    closedir(opened);
    if (is_unknown) mark_alive(self, folder->path);
    return error;
}

void recordings_sort(struct recordings *self)
{
    if (self->count > 0) qsort(self->items, self->count, sizeof *self->items, by_pid_and_image);
}

int recordings_find(struct recordings *self, const struct live_folder *folders, size_t count,
                    pid_t main_pid)
{
    int error = 0;
    *self = (struct recordings){0};
    for (size_t i = 0; i < count; i++) {
        const int failed = folders[i].fd >= 0 ? find_in(self, &folders[i], main_pid) : 0;
        if (failed) error = failed;
    }
    recordings_sort(self);
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++) {
        struct recording *item = &self->items[i];
        if (!may_be_alive(item, main_pid)) item->is_alive = false;
        if (item->facts.is_recording || item->is_alive) {
            self->items[kept++] = *item;
            continue;
        }
        (void)unlink(item->path); // its process was killed before it was one
        free(item->path);
    }
    self->count = kept;
    return error;
}

// Programs whose job it is to start others. Where the command became one of these, what somebody
// wants to know is how the one it started fared.
static bool starts_others(const char *program)
{
    static const char *const names[] = {
        "sh",  "ash",  "bash", "busybox", "dash",   "fish",    "ksh",    "mksh",  "rbash",
        "zsh", "doas", "env",  "flock",   "make",   "ninja",   "nice",   "nohup", "runuser",
        "su",  "sudo", "time", "timeout", "setsid", "setpriv", "script", "xargs", "unshare",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], program) == 0) return true;
    }
    return false;
}

// Whether a program did so little beside one it started that it may be said to have waited for it:
// as compilers' drivers do. A guess; who allocates much is worth a look, however large its
// children.
static bool only_waited(const struct recording_facts *own, const struct recording_facts *largest)
{
    const uint64_t far = 8;
    return own->peak_bytes < largest->peak_bytes / far &&
           own->allocations < largest->allocations / far;
}

size_t recordings_own(const struct recordings *self, pid_t main_pid)
{
    size_t own = self->count;
    for (size_t i = 0; i < self->count; i++) {
        if (self->items[i].pid == main_pid) own = i; // sorted, so the last image wins
    }
    return own;
}

// The one whose peak was the largest, by what each allocated itself, and its facts.
static size_t largest_of(const struct recordings *self, struct recording_facts *facts_out)
{
    // That of a forked child contains what it inherited; how much, only the whole recording says.
    // So only those are read that may be the largest, and of many forks, which resemble each other,
    // a few.
    struct recording_facts best = {0};
    size_t largest = self->count;
    for (size_t i = 0; i < self->count; i++) {
        const struct recording_facts *facts = &self->items[i].facts;
        if (facts->inherits_from_pid != 0) continue;
        if (largest < self->count && facts->peak_bytes <= best.peak_bytes) continue;
        best = *facts;
        largest = i;
    }
    uint64_t below = UINT64_MAX; // those with higher peaks have been read
    for (int read = 0; read < FORKS_READ_MAX; read++) {
        size_t next = self->count;
        for (size_t i = 0; i < self->count; i++) {
            const struct recording_facts *facts = &self->items[i].facts;
            if (facts->inherits_from_pid == 0 || facts->peak_bytes >= below) continue;
            if (next == self->count || facts->peak_bytes > self->items[next].facts.peak_bytes) {
                next = i;
            }
        }
        if (next == self->count || self->items[next].facts.peak_bytes <= best.peak_bytes) break;
        struct recording_facts facts = self->items[next].facts;
        below = facts.peak_bytes;
        if (!recording_facts_disinherit(&facts, self->items[next].path)) continue;
        if (largest < self->count && facts.peak_bytes <= best.peak_bytes) continue;
        best = facts;
        largest = next;
    }
    *facts_out = best;
    return largest;
}

size_t recordings_main(const struct recordings *self, pid_t main_pid)
{
    const size_t own = recordings_own(self, main_pid);
    struct recording_facts facts;
    size_t largest = largest_of(self, &facts);
    if (own == self->count) return largest < self->count || self->count == 0 ? largest : 0;
    const struct recording_facts *of_own = &self->items[own].facts;
    const bool is_other =
        largest < self->count && (starts_others(of_own->program) || only_waited(of_own, &facts));
    return is_other ? largest : own;
}

bool recordings_end_in_exec(const struct recordings *self, size_t index)
{
    const struct recording *item = &self->items[index];
    const bool is_last = index + 1 == self->count || item[1].pid != item->pid;
    return is_last && item->facts.has_process && item->facts.state == RECORD_EXECED;
}

void recordings_deinit(struct recordings *self)
{
    for (size_t i = 0; i < self->count; i++) {
        free(self->items[i].path);
        embedded_close(self->items[i].made);
    }
    free(self->items);
    *self = (struct recordings){0};
}
