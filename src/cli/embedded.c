#include "cli/embedded.h"

#include "record/finish.h"
#include "record/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct embedded {
    struct recording *recording;
};

struct embedded *embedded_create(struct recording *recording)
{
    struct embedded *self = malloc(sizeof *self);
    if (!self) {
        recording_close(recording);
        return NULL;
    }
    self->recording = recording;
    return self;
}

void embedded_close(struct embedded *self)
{
    if (!self) return;
    recording_close(self->recording);
    free(self);
}

struct recording *embedded_recording(const struct embedded *self)
{
    return self->recording;
}

int embedded_write(const struct embedded *self, int fd)
{
    return finish_write(self->recording, fd);
}

int embedded_replace(const struct embedded *self, const char *path)
{
    char fresh[PATH_MAX];
    const int len = snprintf(fresh, sizeof fresh, "%s" EMBEDDED_DRAFT EMBEDDED_DRAFT_RANDOM, path);
    if (len < 0 || (size_t)len >= sizeof fresh) return -ENAMETOOLONG;
    const int fd = mkostemp(fresh, O_CLOEXEC);
    if (fd < 0) return -errno;
    int error = embedded_write(self, fd);
    if (close(fd) < 0 && !error) error = -errno;
    if (!error && rename(fresh, path) < 0) error = -errno;
    if (error) (void)unlink(fresh);
    return error;
}
