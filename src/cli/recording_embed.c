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
    size_t frame_count;
    uint64_t *offsets; // of one module at a time
    size_t *frames;    // whose they are
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
        size += (size_t)line->function.size + line->linkage.size + line->file.size + 3;
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
        const char *linkage = keep_text(self, &len, recording, line->linkage);
        const char *file = keep_text(self, &len, recording, line->file);
        lines_out[i] =
            (struct finish_line){function, linkage, file, line->line, line->is_inlined != 0};
    }
    return count;
}

static size_t name_frame(void *context, const struct recording *recording, size_t frame,
                         struct finish_line *lines_out, size_t max)
{
    struct naming *naming = context;
    const bool is_known = frame < naming->frame_count && naming->names[frame].count > 0;
    if (!is_known) return keep_names(naming, recording, frame, lines_out, max);
    const struct symbols_name *name = &naming->names[frame];
    size_t count = name->count < max ? name->count : max;
    for (size_t i = 0; i < count; i++) {
        const struct symbols_line *line = &name->lines[i];
        lines_out[i] = (struct finish_line){line->function, line->linkage, line->file, line->line,
                                            line->is_inlined};
    }
    return count;
}

static void naming_deinit(struct naming *self)
{
    free(self->names);
    free(self->offsets);
    free(self->frames);
    free(self->found);
    free(self->kept);
}

// Finds the names of all frames. Whoever reads the modules' files is forked for each: until they
// are known, no more is in memory than what asks for them.
static int find_names(struct embedder *self, const char *path, struct naming *naming)
{
    struct reader_problem problem;
    struct recording *code = recording_open_code(path, &problem);
    if (!code) return problem.error ? -problem.error : -EBADMSG;
    const size_t count = code->frames_count + 1; // calloc(0) may be NULL
    *naming = (struct naming){
        .names = calloc(count, sizeof *naming->names),
        .offsets = calloc(count, sizeof *naming->offsets),
        .frames = calloc(count, sizeof *naming->frames),
        .found = calloc(count, sizeof *naming->found),
        .frame_count = code->frames_count,
    };
    const bool is_fine = naming->names && naming->offsets && naming->frames && naming->found;
    int error = is_fine ? 0 : -ENOMEM;
    for (size_t i = 0; i < code->modules_count && !error; i++) {
        error = resolve_module(self, code, i, naming);
    }
    recording_close(code);
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

// 0, to be closed, or -errno.
static int open_whole(const char *path, struct recording **recording_out)
{
    struct reader_problem problem;
    struct recording *recording = recording_open(path, &problem);
    if (!recording) return problem.error ? -problem.error : -EBADMSG;
    *recording_out = recording;
    return recording->missing > 0 || recording->unbelieved > 0 ? -ENODATA : 0;
}

int embedder_make(struct embedder *self, const char *path, const struct embed_plan *plan,
                  struct embedded **made_out)
{
    // Before it is read: nothing comes after that then.
    if (!plan->is_over && is_being_written(path)) return -EBUSY;
    struct naming naming = {.names = NULL};
    int error = plan->has_names ? find_names(self, path, &naming) : 0;
    struct recording *recording = NULL;
    if (!error) error = open_whole(path, &recording);
    if (!error && plan->has_names) error = finish_names(recording, name_frame, &naming);
    naming_deinit(&naming);
    if (error) {
        recording_close(recording);
        return error;
    }
    if (plan->is_over) finish_run(recording, plan->run, (uint32_t)plan->command_pid);
    if (plan->end) finish_status(recording, plan->end);
    *made_out = embedded_create(recording);
    return *made_out ? 0 : -ENOMEM;
}
