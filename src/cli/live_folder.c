#include "cli/live_folder.h"

#include "base/pattern.h"
#include "base/settings.h"
#include "cli/environment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define NAME_PATTERN "/%p.%i.mete"

// A guess: a recording of many sites takes some megabytes, and memory is others' too.
static const unsigned long long memory_needed = 64ULL << 20;

static bool has_memory(const char *folder)
{
    struct statfs system;
    if (statfs(folder, &system) < 0 || system.f_type != TMPFS_MAGIC) return false;
    return (unsigned long long)system.f_bavail * (unsigned long long)system.f_bsize >=
           memory_needed;
}

// Whether the pattern of paths below a folder fits into its setting.
static bool pattern_fits(const char *path)
{
    char pattern[SETTINGS_TEXT_SIZE - sizeof NAME_PATTERN];
    return pattern_escape(path, pattern, sizeof pattern);
}

static int try(struct live_folder *self, const char *folder)
{
    char real[PATH_MAX];
    if (!realpath(folder, real)) return -errno;
    const int len = snprintf(self->path, sizeof self->path, "%s/.mete-XXXXXX", real);
    if (len < 0 || (size_t)len >= sizeof self->path || !pattern_fits(self->path)) {
        return -ENAMETOOLONG;
    }
    if (!mkdtemp(self->path)) return -errno;
    // The mask of the process may have taken even our own rights.
    self->fd = chmod(self->path, 0700) < 0
                   ? -1
                   : open(self->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (self->fd >= 0) return 0;
    const int error = -errno;
    (void)rmdir(self->path);
    return error;
}

int live_folder_create(struct live_folder *self, const char *beside)
{
    const char *const in_memory[] = {getenv("XDG_RUNTIME_DIR"), "/dev/shm"};
    for (size_t i = 0; i < sizeof in_memory / sizeof *in_memory; i++) {
        const char *folder = in_memory[i];
        if (!folder || folder[0] != '/' || !has_memory(folder) || try(self, folder) != 0) continue;
        self->is_in_memory = true;
        return 0;
    }
    self->is_in_memory = false;
    const char *const elsewhere[] = {beside, getenv("TMPDIR"), "/tmp", "/var/tmp"};
    int error = -ENOENT;
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++) {
        if (elsewhere[i]) error = try(self, elsewhere[i]);
        if (error == 0) break;
    }
    return error;
}

// Whether nothing is in it but the link to the preload object.
static bool has_link_alone(int fd)
{
    const int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = again < 0 ? NULL : fdopendir(again);
    if (!folder) {
        if (again >= 0) close(again);
        return false;
    }
    bool is_alone = true;
    for (const struct dirent *entry; is_alone && (entry = readdir(folder));) {
        const char *name = entry->d_name;
        is_alone = strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
                   strcmp(name, ENVIRONMENT_LINK) == 0;
    }
    closedir(folder);
    return is_alone;
}

bool live_folder_destroy(struct live_folder *self)
{
    if (self->fd >= 0) {
        // A process that outlives the command, and has its recording here, may yet start others.
        if (has_link_alone(self->fd)) (void)unlinkat(self->fd, ENVIRONMENT_LINK, 0);
        close(self->fd);
    }
    self->fd = -1;
    return rmdir(self->path) == 0 || errno == ENOENT;
}

void live_folder_pattern(const struct live_folder *self, char *pattern, unsigned size)
{
    (void)pattern_escape(self->path, pattern, size - (unsigned)sizeof NAME_PATTERN);
    strcat(pattern, NAME_PATTERN);
}
