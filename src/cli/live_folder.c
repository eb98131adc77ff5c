#include "cli/live_folder.h"

#include "base/pattern.h"
#include "base/settings.h"
#include "cli/draft.h"
#include "cli/environment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define NAME_PATTERN "/%p.%i.mete"
#define FOLDER_BEGIN ".mete-"
#define FOLDER_RANDOM "XXXXXX"
#define TARGET_LINK "target"
#define TOLD_LINK "told"
#define UNWANTED_LINK "unwanted"
#define RUN_LINK "run"

// What may be in it beside recordings.
static const char *const links[] = {
    ENVIRONMENT_LINK, TARGET_LINK, TOLD_LINK, UNWANTED_LINK, RUN_LINK,
};
enum { LINKS_COUNT = sizeof links / sizeof *links };

enum { TRIES_MAX = 16 }; // of a name that another mete removed as fast as we made it

// A guess: a recording of many sites takes some megabytes, and memory is others' too.
static const unsigned long long memory_needed = 64ULL << 20;

// The least that one takes, of pages that are written at its beginning.
static const unsigned long long recording_needed = 256ULL << 10;

static bool is_memory(const char *folder, struct statfs *system)
{
    return statfs(folder, system) == 0 && system->f_type == TMPFS_MAGIC;
}

// A tmpfs without a limit says that it has no blocks at all, as some others do that do not know.
static bool has_no_limit(const struct statfs *system)
{
    return system->f_blocks == 0;
}

static bool has_memory(const char *folder)
{
    struct statfs system;
    if (!is_memory(folder, &system)) return false;
    return has_no_limit(&system) ||
           (unsigned long long)system.f_bavail * (unsigned long long)system.f_bsize >=
               memory_needed;
}

// Whether the pattern of paths below a folder fits into its setting.
static bool pattern_fits(const char *path)
{
    char pattern[SETTINGS_TEXT_SIZE - sizeof NAME_PATTERN];
    return pattern_escape(path, pattern, sizeof pattern);
}

static int folder_open(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

DIR *live_folder_list(const struct live_folder *self)
{
    const int again = openat(self->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = again < 0 ? NULL : fdopendir(again);
    const int error = errno;
    if (!folder && again >= 0) close(again);
    errno = error;
    return folder;
}

// Says to other metes that we look after it. False when one was quicker, and removed it as one that
// nobody looks after.
static bool folder_lock(int fd)
{
    struct stat folder;
    // File systems without locks have no other mete either that could take one.
    (void)flock(fd, LOCK_EX);
    return fstat(fd, &folder) == 0 && folder.st_nlink > 0;
}

static int try_once(struct live_folder *self, const char *real)
{
    const int len = snprintf(self->path, sizeof self->path, "%s/" FOLDER_BEGIN FOLDER_RANDOM, real);
    if (len < 0 || (size_t)len >= sizeof self->path || !pattern_fits(self->path)) {
        return -ENAMETOOLONG;
    }
    if (!mkdtemp(self->path)) return -errno;
    // The mask of the process may have taken even our own rights.
    self->fd = chmod(self->path, 0700) < 0 ? -1 : folder_open(self->path);
    if (self->fd >= 0 && folder_lock(self->fd)) return 0;
    const int error = self->fd >= 0 || errno == ENOENT ? -EAGAIN : -errno;
    if (self->fd >= 0) close(self->fd);
    (void)rmdir(self->path);
    self->fd = -1;
    return error;
}

int live_folder_create_in(struct live_folder *self, const char *folder)
{
    char real[PATH_MAX];
    struct statfs system;
    if (!realpath(folder, real)) return -errno;
    int error = -EAGAIN;
    for (int i = 0; error == -EAGAIN && i < TRIES_MAX; i++) error = try_once(self, real);
    self->is_in_memory = !error && is_memory(real, &system);
    return error;
}

int live_folder_create(struct live_folder *self, const char *beside)
{
    const char *const in_memory[] = {getenv("XDG_RUNTIME_DIR"), "/dev/shm"};
    for (size_t i = 0; i < sizeof in_memory / sizeof *in_memory; i++) {
        const char *folder = in_memory[i];
        if (!folder || folder[0] != '/' || !has_memory(folder) ||
            live_folder_create_in(self, folder) != 0) {
            continue;
        }
        return 0;
    }
    const char *const elsewhere[] = {beside, getenv("TMPDIR"), "/tmp", "/var/tmp"};
    int error = -ENOENT;
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++) {
        if (elsewhere[i]) error = live_folder_create_in(self, elsewhere[i]);
        if (error == 0) break;
    }
    return error;
}

bool live_folder_is_name(const char *name)
{
    const size_t begin = strlen(FOLDER_BEGIN);
    return strncmp(name, FOLDER_BEGIN, begin) == 0 && strlen(name) == begin + strlen(FOLDER_RANDOM);
}

// What its maker was writing when it was killed: the recording itself is there.
static void remove_drafts(const struct live_folder *self)
{
    DIR *folder = live_folder_list(self);
    if (!folder) return;
    for (const struct dirent *entry; (entry = readdir(folder));) {
        if (draft_is_name(entry->d_name)) (void)unlinkat(self->fd, entry->d_name, 0);
    }
    closedir(folder);
}

int live_folder_adopt(struct live_folder *self, const char *path)
{
    struct stat folder;
    struct statfs system;
    if (snprintf(self->path, sizeof self->path, "%s", path) >= (int)sizeof self->path) {
        return -ENAMETOOLONG;
    }
    self->fd = folder_open(path);
    if (self->fd < 0) return -errno;
    int error = 0;
    if (fstat(self->fd, &folder) < 0 || folder.st_uid != geteuid() ||
        (folder.st_mode & ACCESSPERMS) != S_IRWXU) {
        error = -ENOENT;
    } else if (flock(self->fd, LOCK_EX | LOCK_NB) < 0) {
        error = -errno;
    } else if (fstat(self->fd, &folder) < 0 || folder.st_nlink == 0) {
        error = -ENOENT; // its maker or another mete was quicker
    }
    self->is_in_memory = !error && is_memory(path, &system);
    if (!error) {
        remove_drafts(self);
        return 0;
    }
    close(self->fd);
    self->fd = -1;
    return error;
}

void live_folder_set_target(const struct live_folder *self, const char *pattern)
{
    char target[PATH_MAX];
    char here[PATH_MAX];
    size_t len = 0;
    if (pattern[0] != '/') {
        // A percent sign in a folder's name is one.
        if (!getcwd(here, sizeof here) || !pattern_escape(here, target, sizeof target - 1)) return;
        len = strlen(target);
        target[len++] = '/';
    }
    if (snprintf(target + len, sizeof target - len, "%s", pattern) < (int)(sizeof target - len)) {
        (void)symlinkat(target, self->fd, TARGET_LINK);
    }
}

bool live_folder_target(const struct live_folder *self, char *pattern, size_t size)
{
    const ssize_t len = readlinkat(self->fd, TARGET_LINK, pattern, size);
    if (len <= 0 || (size_t)len >= size) return false;
    pattern[len] = '\0';
    return true;
}

static bool has_link(const struct live_folder *self, const char *name)
{
    struct stat link;
    return fstatat(self->fd, name, &link, AT_SYMLINK_NOFOLLOW) == 0;
}

void live_folder_set_told(const struct live_folder *self)
{
    (void)symlinkat("told", self->fd, TOLD_LINK); // without room for it, it is told again
}

bool live_folder_is_told(const struct live_folder *self)
{
    return has_link(self, TOLD_LINK);
}

void live_folder_set_unwanted(const struct live_folder *self)
{
    (void)symlinkat("unwanted", self->fd, UNWANTED_LINK); // without room for it, they are kept
}

bool live_folder_is_unwanted(const struct live_folder *self)
{
    return has_link(self, UNWANTED_LINK);
}

// Whether nothing is in it but our links.
static bool has_links_alone(const struct live_folder *self)
{
    DIR *folder = live_folder_list(self);
    if (!folder) return false;
    bool is_alone = true;
    for (const struct dirent *entry; is_alone && (entry = readdir(folder));) {
        const char *name = entry->d_name;
        is_alone = strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
        for (size_t i = 0; i < LINKS_COUNT; i++) is_alone |= strcmp(name, links[i]) == 0;
    }
    closedir(folder);
    return is_alone;
}

void live_folder_set_run(const struct live_folder *self, uint64_t run)
{
    char number[32];
    (void)snprintf(number, sizeof number, "%" PRIu64, run);
    (void)symlinkat(number, self->fd, RUN_LINK); // without room for it, it is two runs
}

uint64_t live_folder_run(const struct live_folder *self)
{
    char number[32];
    const ssize_t len = readlinkat(self->fd, RUN_LINK, number, sizeof number - 1);
    if (len > 0) {
        number[len] = '\0';
        return strtoull(number, NULL, 10);
    }
    struct stat folder = {0};
    (void)fstat(self->fd, &folder);
    uint64_t hash = 14695981039346656037u; // FNV-1a
    for (const char *at = strrchr(self->path, '/'); at && *at; at++) {
        hash = (hash ^ (unsigned char)*at) * 1099511628211u;
    }
    hash = (hash ^ folder.st_ino) * 1099511628211u;
    return hash ? hash : 1;
}

bool live_folder_has_room(const struct live_folder *self)
{
    struct statfs system;
    if (fstatfs(self->fd, &system) < 0) return true; // nobody says that it has none
    if (has_no_limit(&system)) return true;
    return (unsigned long long)system.f_bavail * (unsigned long long)system.f_bsize >=
           recording_needed;
}

void live_folder_close(struct live_folder *self)
{
    if (self->fd >= 0) close(self->fd);
    self->fd = -1;
}

bool live_folder_destroy(struct live_folder *self)
{
    if (self->fd >= 0) {
        // A process that outlives the command, and has its recording here, may yet start others.
        if (has_links_alone(self)) {
            for (size_t i = 0; i < LINKS_COUNT; i++) (void)unlinkat(self->fd, links[i], 0);
        }
    }
    live_folder_close(self);
    return rmdir(self->path) == 0 || errno == ENOENT;
}

void live_folder_pattern(const struct live_folder *self, char *pattern, unsigned size)
{
    (void)pattern_escape(self->path, pattern, size - (unsigned)sizeof NAME_PATTERN);
    strcat(pattern, NAME_PATTERN);
}
