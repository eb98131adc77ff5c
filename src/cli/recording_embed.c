#include "cli/recording_embed.h"

#include "record/finish.h"
#include "record/reader.h"
#include "symbols/symbols.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct embedder {
    struct symbols *symbols;
};

// The names of one recording's frames while it is being finished.
struct naming {
    struct symbols_name *names; // by frame
    uint64_t *offsets;          // of one module at a time
    size_t *frames;             // whose they are
    struct symbols_name *found;
};

struct embedder *embedder_create(void)
{
    struct embedder *self = calloc(1, sizeof *self);
    if (!self) return NULL;
    const struct symbols_options options = {0};
    self->symbols = symbols_create(&options);
    if (self->symbols) return self;
    free(self);
    return NULL;
}

void embedder_destroy(struct embedder *self)
{
    if (!self) return;
    symbols_destroy(self->symbols);
    free(self);
}

// --- names
// ------------------------------------------------------------------------------------------

static int resolve_module(struct embedder *self, const struct recording *recording, size_t module,
                          struct naming *naming)
{
    size_t count = 0;
    for (size_t i = 0; i < recording->frames_count; i++) {
        if (recording->frames[i].module != module) continue;
        naming->offsets[count] = recording->frames[i].offset;
        naming->frames[count++] = i;
    }
    if (count == 0) return 0;
    const struct record_module *row = &recording->modules[module];
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%.*s", (int)row->path.size,
                   recording_text(recording, row->path));
    const struct symbols_module described = {
        .path = path,
        .build_id = row->build_id,
        .build_id_size = row->build_id_size,
    };
    size_t index;
    int error = symbols_add_module(self->symbols, &described, &index);
    if (!error) {
        error = symbols_resolve(self->symbols, index, naming->offsets, count, naming->found);
    }
    for (size_t i = 0; i < count && !error; i++) {
        naming->names[naming->frames[i]] = naming->found[i];
    }
    return error;
}

static size_t name_frame(void *context, const struct recording *recording, size_t frame,
                         struct finish_line *lines_out, size_t max)
{
    (void)recording;
    const struct symbols_name *name = &((const struct naming *)context)->names[frame];
    size_t count = name->count < max ? name->count : max;
    for (size_t i = 0; i < count; i++) {
        const struct symbols_line *line = &name->lines[i];
        lines_out[i] =
            (struct finish_line){line->function, line->file, line->line, line->is_inlined};
    }
    return count;
}

static int add_names(struct embedder *self, struct recording *recording)
{
    const size_t count = recording->frames_count + 1; // calloc(0) may be NULL
    struct naming naming = {
        .names = calloc(count, sizeof *naming.names),
        .offsets = calloc(count, sizeof *naming.offsets),
        .frames = calloc(count, sizeof *naming.frames),
        .found = calloc(count, sizeof *naming.found),
    };
    int error = -ENOMEM;
    if (naming.names && naming.offsets && naming.frames && naming.found) {
        error = 0;
        for (size_t i = 0; i < recording->modules_count && !error; i++) {
            error = resolve_module(self, recording, i, &naming);
        }
        if (!error) error = finish_names(recording, name_frame, &naming);
    }
    free(naming.names);
    free(naming.offsets);
    free(naming.frames);
    free(naming.found);
    return error;
}

// --- the file
// ---------------------------------------------------------------------------------------

static int replace(const struct recording *recording, const char *path)
{
    char fresh[PATH_MAX];
    const int len = snprintf(fresh, sizeof fresh, "%s.new-XXXXXX", path);
    if (len < 0 || (size_t)len >= sizeof fresh) return -ENAMETOOLONG;
    const int fd = mkostemp(fresh, O_CLOEXEC);
    if (fd < 0) return -errno;
    int error = finish_write(recording, fd);
    if (close(fd) < 0 && !error) error = -errno;
    if (!error && rename(fresh, path) < 0) error = -errno;
    if (error) (void)unlink(fresh);
    return error;
}

int recording_compact(int fd, const char *target)
{
    struct reader_problem problem;
    struct recording *recording = recording_read(fd, &problem);
    if (!recording) return problem.error ? -problem.error : -EBADMSG;
    const int error = replace(recording, target);
    recording_close(recording);
    return error;
}

int embedder_embed(struct embedder *self, const char *path, const struct embed_plan *plan)
{
    struct reader_problem problem;
    struct recording *recording = recording_open(path, &problem);
    if (!recording) return problem.error ? -problem.error : -EBADMSG;
    int error = plan->has_names ? add_names(self, recording) : 0;
    if (!error && plan->status) finish_status(recording, *plan->status, plan->duration_ms);
    if (!error) error = replace(recording, path);
    recording_close(recording);
    return error;
}
