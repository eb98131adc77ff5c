#include "cli/recording_embed.h"

#include "cli/frame_names.h"
#include "cli/liveness.h"
#include "record/finish.h"
#include "record/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct embedder {
    struct frame_names *names;
};

// The names of one recording's frames while it is being finished.
struct naming {
    struct symbols_name *names; // by frame
    uint64_t *offsets;          // of one module at a time
    size_t *frames;             // whose they are
    struct symbols_name *found;
    char *kept; // the texts of a frame that keeps the names it has, each terminated
    size_t kept_size;
};

struct embedder *embedder_create(void)
{
    struct embedder *self = calloc(1, sizeof *self);
    if (!self) return NULL;
    self->names = frame_names_create();
    if (self->names) return self;
    free(self);
    return NULL;
}

void embedder_destroy(struct embedder *self)
{
    if (!self) return;
    frame_names_destroy(self->names);
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
    const int error =
        frame_names_find(self->names, &described, naming->offsets, count, naming->found);
    for (size_t i = 0; i < count && !error; i++) {
        naming->names[naming->frames[i]] = naming->found[i];
    }
    return error;
}

static const char *keep_text(struct naming *self, size_t *len, const struct recording *recording,
                             struct record_text text)
{
    char *kept = self->kept + *len;
    memcpy(kept, recording_text(recording, text), text.size);
    kept[text.size] = '\0';
    *len += text.size + 1;
    return kept;
}

// The lines that a frame has: whoever wrote them may have had files that are not here.
static size_t keep_names(struct naming *self, const struct recording *recording, size_t frame,
                         struct finish_line *lines_out, size_t max)
{
    if (frame >= recording->names_count) return 0;
    const struct record_name *name = &recording->names[frame];
    const size_t count = name->count < max ? name->count : max;
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        const struct record_line *line = &recording->lines[name->first + i];
        size += (size_t)line->function.size + line->file.size + 2;
    }
    if (size > self->kept_size) {
        char *larger = realloc(self->kept, size);
        if (!larger) return 0; // the frame has no name then
        self->kept = larger;
        self->kept_size = size;
    }
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        const struct record_line *line = &recording->lines[name->first + i];
        const char *function = keep_text(self, &len, recording, line->function);
        const char *file = keep_text(self, &len, recording, line->file);
        lines_out[i] = (struct finish_line){function, file, line->line, line->is_inlined != 0};
    }
    return count;
}

static size_t name_frame(void *context, const struct recording *recording, size_t frame,
                         struct finish_line *lines_out, size_t max)
{
    struct naming *naming = context;
    const struct symbols_name *name = &naming->names[frame];
    if (name->count == 0) return keep_names(naming, recording, frame, lines_out, max);
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
    free(naming.kept);
    return error;
}

// --- the file
// ---------------------------------------------------------------------------------------

int recording_compact(int fd, const char *target)
{
    struct reader_problem problem;
    struct recording *recording = recording_read(fd, &problem);
    if (!recording) return problem.error ? -problem.error : -EBADMSG;
    struct embedded *same = embedded_create(recording);
    const int error = same ? embedded_replace(same, target) : -ENOMEM;
    embedded_close(same);
    return error;
}

// The same where the file system cannot say.
static bool is_of_running_process(const char *path)
{
    struct reader_problem problem;
    struct recording *recording = recording_open(path, &problem);
    if (!recording) return false;
    struct profile *profile = profile_create(recording, NULL);
    const bool is_running = profile && profile->process.state == PROFILE_RUNNING &&
                            liveness_of_process(&profile->process);
    profile_destroy(profile);
    recording_close(recording);
    return is_running;
}

// Whether some process still writes it. A copy of what is being written is nobody's.
static bool is_being_written(const char *path)
{
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return false;
    const enum liveness liveness = liveness_of_file(fd);
    close(fd);
    if (liveness == LIVENESS_UNKNOWN) return is_of_running_process(path);
    return liveness == LIVENESS_SOME;
}

int embedder_make(struct embedder *self, const char *path, const struct embed_plan *plan,
                  struct embedded **made_out)
{
    // Before it is read: nothing comes after that then.
    if (!plan->is_over && is_being_written(path)) return -EBUSY;
    struct reader_problem problem;
    struct recording *recording = recording_open(path, &problem);
    if (!recording) return problem.error ? -problem.error : -EBADMSG;
    int error = recording->missing > 0 || recording->unbelieved > 0 ? -ENODATA : 0;
    if (!error && plan->has_names) error = add_names(self, recording);
    if (plan->is_over) finish_run(recording, plan->run, (uint32_t)plan->command_pid);
    if (!error && plan->end) finish_status(recording, plan->end);
    if (error) {
        recording_close(recording);
        return error;
    }
    *made_out = embedded_create(recording);
    return *made_out ? 0 : -ENOMEM;
}
