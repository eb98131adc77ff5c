#include "cli/draft.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_BEGIN ".mete-new-"
#define NAME_RANDOM "XXXXXX"

enum { TRIES_MAX = 16 }; // of names at random that somebody else has

int draft_begin(struct draft *self, const char *target)
{
    const char *slash = strrchr(target, '/');
    const int folder_len = slash ? (int)(slash - target) + 1 : 0;
    const int len =
        snprintf(self->path, sizeof self->path, "%.*s" NAME_BEGIN NAME_RANDOM, folder_len, target);
    if (len < 0 || (size_t)len >= sizeof self->path) return -ENAMETOOLONG;
    char folder[PATH_MAX];
    (void)snprintf(folder, sizeof folder, "%.*s", folder_len > 0 ? folder_len : 1,
                   folder_len > 0 ? target : ".");
    self->fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    self->has_name = self->fd < 0;
    if (self->has_name) self->fd = mkostemp(self->path, O_CLOEXEC);
    if (self->fd < 0) return -errno;
    // The mask of the process may have taken even our own rights.
    if (fchmod(self->fd, 0600) == 0) return 0;
    const int error = -errno;
    draft_abandon(self);
    return error;
}

// A name that nobody has.
static int give_name(struct draft *self)
{
    char own[64];
    (void)snprintf(own, sizeof own, "/proc/self/fd/%d", self->fd);
    char *end = self->path + strlen(self->path) - strlen(NAME_RANDOM);
    for (int i = 0; i < TRIES_MAX; i++) {
        unsigned number = 0;
        (void)getrandom(&number, sizeof number, 0); // taken names are tried again anyway
        (void)snprintf(end, sizeof NAME_RANDOM, "%06x", number & 0xffffff);
        if (linkat(AT_FDCWD, own, AT_FDCWD, self->path, AT_SYMLINK_FOLLOW) == 0) {
            self->has_name = true;
            return 0;
        }
        if (errno != EEXIST) break;
    }
    return -errno;
}

int draft_finish(struct draft *self)
{
    int error = self->has_name ? 0 : give_name(self);
    if (close(self->fd) < 0 && !error) error = -errno;
    self->fd = -1;
    if (error) draft_abandon(self);
    return error;
}

void draft_abandon(struct draft *self)
{
    if (self->fd >= 0) close(self->fd);
    self->fd = -1;
    if (self->has_name) (void)unlink(self->path);
    self->has_name = false;
}

bool draft_is_name(const char *name)
{
    return strncmp(name, NAME_BEGIN, strlen(NAME_BEGIN)) == 0 &&
           strlen(name) == strlen(NAME_BEGIN NAME_RANDOM);
}
