#include "cli/relatives.h"

#include "cli/liveness.h"
#include "cli/output.h"
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
    // Before it is opened: who waits to write into a FIFO would be let go.
    if (fstatat(folder, name, &file, 0) != 0 || !S_ISREG(file.st_mode)) return false;
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

// A copy of one that is there, under another name.
static bool is_copy(const struct recordings *self, const struct recording *item)
{
    for (size_t i = 0; i < self->count; i++) {
        const struct recording *other = &self->items[i];
        if (other->pid == item->pid && other->image == item->image &&
            other->facts.begin_ms == item->facts.begin_ms &&
            strcmp(other->facts.host, item->facts.host) == 0) {
            return true;
        }
    }
    return false;
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
    // The one itself first: then what is the same is a copy of it.
    struct recording item;
    int error = 0;
    if (read_one(dirfd(opened), own, &item) && !add(self, &item, path, folder_len, own)) {
        error = -ENOMEM;
    }
    size_t looked = 0;
    for (const struct dirent *entry; !error && (entry = readdir(opened));) {
        if (!is_named_like_one(entry->d_name, own, own_len)) continue;
        if (looked++ >= FILES_MAX) {
            say("report: there are more than %d names like one beside '%s': not all were looked at "
                "for its children; FILE... names them",
                FILES_MAX, path);
            break;
        }
        if (!read_one(dirfd(opened), entry->d_name, &item) || is_copy(self, &item)) continue;
        if (!add(self, &item, path, folder_len, entry->d_name)) error = -ENOMEM;
    }
    closedir(opened);
    return error;
}

// --- who is whose

// Clocks are set and machines sleep: so far apart may two of them go between two processes of one
// run. A guess; it also keeps processes of different boots apart.
static const int64_t apart_max_ms = 12 * 3600 * 1000;

static bool is_close(const struct recording_facts *one, const struct recording_facts *other)
{
    const uint64_t real_ms = one->begin_ms - other->begin_ms;
    const uint64_t monotonic_ms = one->begin_monotonic_ms - other->begin_monotonic_ms;
    const int64_t apart_ms = (int64_t)(real_ms - monotonic_ms);
    return apart_ms < apart_max_ms && apart_ms > -apart_max_ms &&
           strcmp(one->host, other->host) == 0;
}

// Whether a process began while another was there, as far as that one has said when it ended.
static bool began_within(const struct recording_facts *one, const struct recording_facts *other)
{
    const bool has_end = other->state == RECORD_ENDED || other->state == RECORD_WAITED;
    const uint64_t end_ms = other->begin_monotonic_ms + other->duration_ms;
    return is_close(one, other) &&
           one->begin_monotonic_ms + LIVENESS_SLACK_MS >= other->begin_monotonic_ms &&
           (!has_end || one->begin_monotonic_ms <= end_ms + LIVENESS_SLACK_MS);
}

static bool is_child_of(const struct recording *one, const struct recording *other)
{
    return one->facts.parent_pid == other->facts.pid && one->pid != other->pid &&
           began_within(&one->facts, &other->facts);
}

// What the same process was before.
static bool is_successor_of(const struct recording *one, const struct recording *other)
{
    return one->pid == other->pid && one->image == other->image + 1 &&
           other->facts.state == RECORD_EXECED && began_within(&one->facts, &other->facts);
}

// The one that another comes from: what its process was before, or who started that; of several of
// that pid the last, since pids are given again. The count where it is not there.
static size_t origin_of(const struct recordings *self, size_t index)
{
    size_t before = self->count;
    size_t parent = self->count;
    const struct recording *one = &self->items[index];
    for (size_t i = 0; i < self->count; i++) {
        const struct recording *other = &self->items[i];
        const uint64_t begin_ms = other->facts.begin_ms;
        if (is_successor_of(one, other)) {
            const bool is_later =
                before == self->count || begin_ms > self->items[before].facts.begin_ms;
            if (is_later) before = i;
        } else if (is_child_of(one, other)) {
            const bool is_later =
                parent == self->count || begin_ms > self->items[parent].facts.begin_ms;
            if (is_later) parent = i;
        }
    }
    return before < self->count ? before : parent;
}

// Marks what comes from what is marked.
static void spread(const struct recordings *self, const size_t *origins, bool *is_marked)
{
    bool has_more = true;
    while (has_more) {
        has_more = false;
        for (size_t i = 0; i < self->count; i++) {
            if (is_marked[i] || origins[i] == self->count || !is_marked[origins[i]]) continue;
            is_marked[i] = true;
            has_more = true;
        }
    }
}

static void keep_marked(struct recordings *self, const bool *is_marked)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++) {
        if (is_marked[i]) {
            self->items[kept++] = self->items[i];
        } else {
            free(self->items[i].path);
        }
    }
    self->count = kept;
    recordings_sort(self);
}

// Marks those of the same `mete run`, which has noted it in them; returns the command's pid.
static pid_t mark_run(const struct recordings *self, size_t index, bool *is_marked)
{
    const uint64_t run = self->items[index].facts.run;
    pid_t root = 0;
    for (size_t i = 0; i < self->count; i++) {
        const struct recording_facts *facts = &self->items[i].facts;
        is_marked[i] = facts->run == run;
        if (is_marked[i] && facts->run_pid != 0) root = (pid_t)facts->run_pid;
    }
    return root;
}

// Leaves those of its run; *root_out: the command's pid. False for want of memory.
static bool keep_run(struct recordings *self, size_t index, pid_t *root_out)
{
    bool *is_marked = calloc(self->count, sizeof *is_marked);
    if (!is_marked) return false;
    *root_out = mark_run(self, index, is_marked);
    keep_marked(self, is_marked);
    free(is_marked);
    return true;
}

// Leaves `index` and what descends from it. False for want of memory.
static bool keep_descendants(struct recordings *self, size_t index)
{
    bool *is_marked = calloc(self->count, sizeof *is_marked);
    size_t *origins = calloc(self->count, sizeof *origins);
    const bool is_fine = is_marked && origins;
    if (is_fine) {
        is_marked[index] = true;
        for (size_t i = 0; i < self->count; i++) origins[i] = origin_of(self, i);
        spread(self, origins, is_marked);
        keep_marked(self, is_marked);
    }
    free(is_marked);
    free(origins);
    return is_fine;
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
    const size_t own = relatives_index(&self, path);
    if (!error && own == self.count) error = -ENOENT;
    if (!error && self.items[own].facts.run != 0) {
        if (!keep_run(&self, own, root_out)) error = -ENOMEM;
    } else if (!error) {
        size_t root = own;
        // Within the clock's slack two may seem to come from each other.
        for (size_t steps = 0; steps < self.count; steps++) {
            const size_t origin = origin_of(&self, root);
            if (origin == self.count) break;
            root = origin;
        }
        *root_out = self.items[root].pid;
        if (!keep_descendants(&self, root)) error = -ENOMEM;
    }
    if (error) recordings_deinit(&self);
    *relatives_out = error ? (struct recordings){0} : self;
    return error;
}
