#include "cli/embedded.h"

#include "cli/draft.h"
#include "record/finish.h"
#include "record/reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

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
    struct draft draft;
    int error = draft_begin(&draft, path);
    if (error) return error;
    error = embedded_write(self, draft.fd);
    if (error) {
        draft_abandon(&draft);
        return error;
    }
    error = draft_finish(&draft);
    if (!error && rename(draft.path, path) < 0) {
        error = -errno;
        draft_abandon(&draft);
    }
    return error;
}
