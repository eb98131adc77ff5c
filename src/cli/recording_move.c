#include "cli/recording_move.h"

#include "cli/draft.h"
#include "cli/recording_facts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int recording_move_look(const char *target)
{
    struct stat file;
    if (lstat(target, &file) < 0) return errno == ENOENT ? 0 : -errno;
    if (!S_ISREG(file.st_mode)) return -EEXIST;
    const int fd = open(target, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return -EEXIST; // nobody can say that it is one
    const bool is_recording = recording_facts_read(fd).is_recording;
    close(fd);
    return is_recording ? 1 : -EEXIST;
}

static int rename_to(const char *path, const char *target, bool replaces)
{
    if (!replaces) {
        if (renameat2(AT_FDCWD, path, AT_FDCWD, target, RENAME_NOREPLACE) == 0) return 0;
        if (errno != EINVAL && errno != ENOSYS) return -errno;
        // A file system without that: link() replaces nothing either.
        if (link(path, target) == 0) {
            if (unlink(path) == 0 || errno == ENOENT) return 0;
            // It must not be in two places, of which the caller knows one.
            const int error = -errno;
            return unlink(target) == 0 ? error : 0;
        }
        if (errno != EPERM && errno != ENOTSUP && errno != EOPNOTSUPP) return -errno;
    }
    return rename(path, target) == 0 ? 0 : -errno;
}

static int write_all(int fd, const char *bytes, size_t count, off_t offset)
{
    while (count > 0) {
        const ssize_t written = pwrite(fd, bytes, count, offset);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return -errno;
        bytes += written;
        offset += written;
        count -= (size_t)written;
    }
    return 0;
}

// Copies bytes [at, end).
static int copy_range(int from, int to, off_t at, off_t end)
{
    static char buffer[1 << 16];
    while (at < end) {
        const size_t left = (size_t)(end - at);
        const ssize_t count = pread(from, buffer, left < sizeof buffer ? left : sizeof buffer, at);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return -errno;
        if (count == 0) break; // it was cut short meanwhile
        const int error = write_all(to, buffer, (size_t)count, at);
        if (error) return error;
        at += count;
    }
    return 0;
}

static int copy_data(int from, int to)
{
    struct stat file;
    if (fstat(from, &file) < 0 || ftruncate(to, file.st_size) < 0) return -errno;
    off_t end = 0;
    while (end < file.st_size) {
        const off_t at = lseek(from, end, SEEK_DATA);
        if (at < 0 && errno == ENXIO) break; // a hole up to the end
        if (at < 0) return -errno;
        end = lseek(from, at, SEEK_HOLE);
        if (end < 0) return -errno;
        const int error = copy_range(from, to, at, end);
        if (error) return error;
    }
    return 0;
}

// The name itself must last as long as what it names.
static void sync_folder(const char *target)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(target, '/');
    if (snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - target) + 1 : 1,
                 slash ? target : ".") >= (int)sizeof folder) {
        return;
    }
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    (void)fsync(fd); // the file itself is on the disk; some file systems cannot do this
    close(fd);
}

static int copy_file(const char *path, int to)
{
    const int from = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (from < 0) return -errno;
    const int error = copy_data(from, to);
    close(from);
    return error;
}

// Puts what was made of the file at `path`, or a copy of it, in the place of `target`.
static int write_to(const struct embedded *made, const char *path, const char *target,
                    bool replaces)
{
    struct draft draft;
    int error = draft_begin(&draft, target);
    if (error) return error;
    error = made ? embedded_write(made, draft.fd) : copy_file(path, draft.fd);
    if (!error && fsync(draft.fd) < 0) error = -errno;
    if (!error) error = draft_finish(&draft);
    if (!error) error = rename_to(draft.path, target, replaces);
    if (error) {
        draft_abandon(&draft);
        return error;
    }
    sync_folder(target);
    (void)unlink(path); // what is left is a copy in our own folder
    return 0;
}

// *replaces_out: whether a recording stands there. 0 where it may be written.
static int look(const char *target, bool may_replace, bool *replaces_out)
{
    const int there = recording_move_look(target);
    if (there < 0) return there;
    *replaces_out = there == 1;
    return *replaces_out && !may_replace ? -EEXIST : 0;
}

int recording_move(const char *path, const char *target, bool may_replace)
{
    bool replaces;
    int error = look(target, may_replace, &replaces);
    if (error) return error;
    (void)chmod(path, 0600); // in our own folder, so nobody has put a link there
    error = rename_to(path, target, replaces);
    return error == -EXDEV ? write_to(NULL, path, target, replaces) : error;
}

int recording_move_made(const struct embedded *made, const char *path, const char *target,
                        bool may_replace)
{
    bool replaces;
    const int error = look(target, may_replace, &replaces);
    return error ? error : write_to(made, path, target, replaces);
}
