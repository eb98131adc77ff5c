#include "cli/recordings_spill.h"

#include "cli/liveness.h"
#include "cli/recording_embed.h"
#include "cli/recordings.h"
#include "record/tables.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

// A guess: few runs have as many processes, and it is little for a machine on which they run.
static const uint64_t ended_bytes_max = 8U << 20;

void recordings_spill_open(struct recordings_spill *self, const struct live_folder *live,
                           struct live_folder *disk, const char *beside, bool wants_children)
{
    *self = (struct recordings_spill){
        .events = -1,
        .live = live,
        .disk = disk,
        .beside = beside,
        .wants_children = wants_children,
    };
    if (!live->is_in_memory) return;
    // A mapping counts as an open file: the event comes when its last process is gone.
    self->events = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (self->events < 0) return;
    if (inotify_add_watch(self->events, live->path, IN_CLOSE_WRITE | IN_ONLYDIR) >= 0) return;
    recordings_spill_close(self);
}

void recordings_spill_close(struct recordings_spill *self)
{
    if (self->events >= 0) close(self->events);
    self->events = -1;
}

// Whether there is a folder for them.
static bool has_disk(struct recordings_spill *self)
{
    if (self->disk->fd >= 0) return true;
    char target[PATH_MAX];
    if (self->is_stuck || live_folder_create_in(self->disk, self->beside) != 0) return false;
    // Whoever finds one of the two takes both to the same place.
    if (live_folder_target(self->live, target, sizeof target)) {
        live_folder_set_target(self->disk, target);
    }
    live_folder_set_run(self->disk, live_folder_run(self->live));
    return true;
}

// Its name stays, of an empty file: by the names that are there the next image of the process finds
// its own. 0 or -errno.
static int empty(const struct recordings_spill *self, const char *name)
{
    const int fd = openat(self->live->fd, name, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return -errno;
    close(fd);
    return 0;
}

// Whether one that has ended is of a child that cannot be the main program, where no others are
// wanted: the command's own is our child; of the others only the largest can.
static bool is_unwanted(struct recordings_spill *self, int fd, const char *name)
{
    if (self->wants_children) return false;
    struct recording_facts facts = recording_facts_read(fd);
    if (!facts.has_process || facts.parent_pid == (uint32_t)getpid()) return false;
    char path[PATH_MAX];
    const int len = snprintf(path, sizeof path, "%s/%s", self->live->path, name);
    if (len < 0 || (size_t)len >= sizeof path) return false;
    if (facts.inherits_from_pid != 0 && facts.peak_bytes > self->child_peak_bytes &&
        !recording_facts_disinherit(&facts, path)) {
        return false;
    }
    if (self->has_child && facts.peak_bytes <= self->child_peak_bytes) return true;
    self->has_child = true;
    self->child_peak_bytes = facts.peak_bytes;
    return false;
}

// Takes one to the disk, of which `fd` is open. 0 or -errno.
static int spill(struct recordings_spill *self, int fd, const char *name)
{
    char target[PATH_MAX];
    const int len = snprintf(target, sizeof target, "%s/%s", self->disk->path, name);
    if (len < 0 || (size_t)len >= sizeof target) return -ENAMETOOLONG;
    const int error = recording_compact(fd, target);
    if (error) return error;
    return empty(self, name);
}

// Whether one that has ended is the last of the command's own process: the run is over.
static bool ends_run(int fd, const char *name, pid_t command_pid)
{
    pid_t pid;
    unsigned image;
    if (!recording_parse_name(name, &pid, &image) || pid != command_pid) return false;
    const struct recording_facts facts = recording_facts_read(fd);
    return facts.has_process && facts.state != RECORD_EXECED;
}

// Looks after one that is perhaps over.
static void settle(struct recordings_spill *self, const char *name, pid_t command_pid)
{
    struct stat file;
    int error = 0;
    const int fd = openat(self->live->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return;
    // The event is enough; but who writes to a file that is cut short is killed, so ask again.
    const bool is_over = fstat(fd, &file) == 0 && S_ISREG(file.st_mode) && file.st_size > 0 &&
                         liveness_of_file(fd) == LIVENESS_NONE;
    if (is_over && is_unwanted(self, fd, name)) {
        (void)empty(self, name); // what stays is removed at the end
    } else if (is_over) {
        const uint64_t bytes = (uint64_t)file.st_blocks * 512;
        self->ended_bytes += bytes;
        if (self->ended_bytes > ended_bytes_max && !ends_run(fd, name, command_pid)) {
            error = has_disk(self) ? spill(self, fd, name) : -ENOENT;
            if (!error) self->ended_bytes -= bytes;
            // One that cannot be read says nothing of others; a full disk does.
            self->is_stuck = error && error != -EBADMSG;
        }
    }
    close(fd);
}

static void look_at(struct recordings_spill *self, const char *name, pid_t command_pid)
{
    pid_t pid;
    unsigned image;
    if (!recording_parse_name(name, &pid, &image)) return;
    successors_note(&self->successors, pid, image); // at once: it may end soon
    settle(self, name, command_pid);
}

// Looks at all that are there: more ended at once than the kernel tells of.
static void look_at_all(struct recordings_spill *self, pid_t command_pid)
{
    DIR *folder = live_folder_list(self->live);
    if (!folder) return;
    // Those that were counted are counted again, and the largest is compared with itself.
    self->ended_bytes = 0;
    self->has_child = false;
    self->child_peak_bytes = 0;
    for (const struct dirent *entry; (entry = readdir(folder));) {
        pid_t pid;
        unsigned image;
        if (!recording_parse_name(entry->d_name, &pid, &image)) continue;
        settle(self, entry->d_name, command_pid);
    }
    closedir(folder);
}

void recordings_spill_next(struct recordings_spill *self, pid_t command_pid)
{
    // Room for one event with the longest name: no more are read at a time.
    union {
        struct inotify_event event;
        char bytes[sizeof(struct inotify_event) + NAME_MAX + 1];
    } next;
    const ssize_t size = read(self->events, &next, sizeof next);
    if (size < (ssize_t)sizeof next.event) {
        if (size == 0 || errno != EAGAIN) recordings_spill_close(self);
        return;
    }
    // Several short ones may have come at once.
    for (ssize_t at = 0; at + (ssize_t)sizeof next.event <= size;) {
        const struct inotify_event *event = (const void *)(next.bytes + at);
        if (event->mask & IN_Q_OVERFLOW) look_at_all(self, command_pid);
        if (event->len > 0) look_at(self, event->name, command_pid);
        at += (ssize_t)(sizeof *event + event->len);
    }
}
