#include "cli/relatives.h"

#include "cli/liveness.h"
#include "record/tables.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_MAX = 4096 }; // looked at in one folder: nobody waits longer. A guess

// --- the folder

static bool is_named_like_one(const char *name, const char *own, size_t own_len)
{
    static const char ending[] = ".mete";
    const size_t len = strlen(name);
    const size_t ending_len = sizeof ending - 1;
    return (len > ending_len && strcmp(name + len - ending_len, ending) == 0) ||
           strncmp(name, own, own_len) == 0;
}

// False: it is no recording of a process, or there is no memory for it.
static bool read_one(int folder, const char *name, struct recording *item_out)
{
    struct stat file;
    const int fd = openat(folder, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return false;
    const bool is_file = fstat(fd, &file) == 0 && S_ISREG(file.st_mode);
    *item_out = (struct recording){0};
    if (is_file) item_out->facts = recording_facts_read(fd);
    close(fd);
    item_out->pid = (pid_t)item_out->facts.pid;
    item_out->image = item_out->facts.image;
    return item_out->facts.has_process;
}

static bool add(struct recordings *self, const struct recording *item, const char *folder,
                size_t folder_len, const char *name)
{
    struct recording *items = realloc(self->items, (self->count + 1) * sizeof *items);
    if (!items) return false;
    self->items = items;
    items[self->count] = *item;
    if (asprintf(&items[self->count].path, "%.*s%s", (int)folder_len, folder, name) < 0) {
        return false;
    }
    self->count++;
    return true;
}

static int read_folder(struct recordings *self, const char *path)
{
    const char *slash = strrchr(path, '/');
    const size_t folder_len = slash ? (size_t)(slash - path) + 1 : 0;
    const char *own = path + folder_len;
    const char *ending = strrchr(own, '.');
    const size_t own_len = ending && ending > own ? (size_t)(ending - own) : strlen(own);
    char *folder = folder_len > 0 ? strndup(path, folder_len) : strdup(".");
    DIR *opened = folder ? opendir(folder) : NULL;
    free(folder);
    if (!opened) return -errno;
    int error = 0;
    size_t looked = 0;
    for (const struct dirent *entry; !error && (entry = readdir(opened));) {
        struct recording item;
        // The one itself is looked at in any case.
        const bool is_own = strcmp(entry->d_name, own) == 0;
        if (!is_named_like_one(entry->d_name, own, own_len)) continue;
        if (looked++ >= FILES_MAX && !is_own) continue;
        if (!read_one(dirfd(opened), entry->d_name, &item)) continue;
        if (!add(self, &item, path, folder_len, entry->d_name)) error = -ENOMEM;
    }
    closedir(opened);
    return error;
}

// --- who is whose

// Whether a process began while another was there: one that has not said when it ended may have
// gone on for ever.
static bool began_within(const struct recording_facts *one, const struct recording_facts *other)
{
    const bool has_end = other->state == RECORD_ENDED || other->state == RECORD_WAITED;
    return one->begin_ms + LIVENESS_SLACK_MS >= other->begin_ms &&
           (!has_end || one->begin_ms <= other->end_ms + LIVENESS_SLACK_MS) &&
           strcmp(one->host, other->host) == 0;
}

static bool is_child_of(const struct recording *one, const struct recording *other)
{
    return one->facts.parent_pid == other->facts.pid && one->pid != other->pid &&
           began_within(&one->facts, &other->facts);
}

// Another program that the same process was before, or became.
static bool is_image_of(const struct recording *one, const struct recording *other)
{
    if (one->pid != other->pid || one->image == other->image) return false;
    const struct recording *first = one->image < other->image ? one : other;
    const struct recording *second = first == one ? other : one;
    return second->facts.begin_ms + LIVENESS_SLACK_MS >= first->facts.begin_ms &&
           first->facts.state != RECORD_WAITED && strcmp(one->facts.host, other->facts.host) == 0;
}

// The one that started another's process; the count where it is not there.
static size_t parent_of(const struct recordings *self, size_t index)
{
    for (size_t i = 0; i < self->count; i++) {
        if (is_child_of(&self->items[index], &self->items[i])) return i;
    }
    return self->count;
}

// Marks what descends from what is marked, and its other images.
static void spread(const struct recordings *self, bool *is_marked)
{
    bool has_more = true;
    while (has_more) {
        has_more = false;
        for (size_t i = 0; i < self->count; i++) {
            for (size_t j = 0; j < self->count && !is_marked[i]; j++) {
                const struct recording *one = &self->items[i];
                const struct recording *other = &self->items[j];
                if (!is_marked[j] || (!is_child_of(one, other) && !is_image_of(one, other))) {
                    continue;
                }
                is_marked[i] = true;
                has_more = true;
            }
        }
    }
}

static int by_pid_and_image(const void *a, const void *b)
{
    const struct recording *left = a;
    const struct recording *right = b;
    if (left->pid != right->pid) return left->pid < right->pid ? -1 : 1;
    return (left->image > right->image) - (left->image < right->image);
}

// Leaves `index` and what descends from it. False for want of memory.
static bool keep_descendants(struct recordings *self, size_t index)
{
    bool *is_marked = calloc(self->count, sizeof *is_marked);
    if (!is_marked) return false;
    is_marked[index] = true;
    spread(self, is_marked);
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++) {
        if (is_marked[i]) {
            self->items[kept++] = self->items[i];
        } else {
            free(self->items[i].path);
        }
    }
    self->count = kept;
    free(is_marked);
    qsort(self->items, self->count, sizeof *self->items, by_pid_and_image);
    return true;
}

size_t relatives_index(const struct recordings *self, const char *path)
{
    size_t index = 0;
    while (index < self->count && strcmp(self->items[index].path, path) != 0) index++;
    return index;
}

size_t relatives_narrow(struct recordings *self, size_t index)
{
    char *path = strdup(self->items[index].path);
    if (!path || !keep_descendants(self, index)) {
        free(path);
        return index;
    }
    index = relatives_index(self, path);
    free(path);
    return index;
}

int relatives_find(const char *path, struct recordings *relatives_out, pid_t *root_out)
{
    struct recordings self = {0};
    int error = read_folder(&self, path);
    size_t root = relatives_index(&self, path);
    if (!error && root == self.count) error = -ENOENT;
    if (!error) {
        // Each step leads to one that began earlier, or the same process's pid would be its own
        // ancestor's.
        for (size_t steps = 0; steps < self.count; steps++) {
            const size_t parent = parent_of(&self, root);
            if (parent == self.count) break;
            root = parent;
        }
        *root_out = self.items[root].pid;
        if (!keep_descendants(&self, root)) error = -ENOMEM;
    }
    if (error) recordings_deinit(&self);
    *relatives_out = error ? (struct recordings){0} : self;
    return error;
}
