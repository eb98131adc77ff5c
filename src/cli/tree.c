#include "cli/tree.h"

#include "cli/liveness.h"
#include "cli/output.h"
#include "os/file.h"
#include "record/finish.h"
#include "record/reader.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// What the file at `path` holds, as it would be read from it.
static struct recording *recording_of(const struct embedded *made, const char *path)
{
    struct recording *recording = embedded_recording(made);
    int fd = -1;
    if (file_open(path, &fd) == 0) {
        (void)file_size(fd, &recording->file_size, &recording->file_space); // else as it was
        file_close(fd);
    }
    return recording;
}

// NULL after a message; else to be closed.
static struct recording *read_one(const char *command, const char *path)
{
    struct reader_problem problem;
    struct recording *recording = recording_open(path, &problem);
    if (!recording) {
        char text[READER_PROBLEM_SIZE];
        reader_problem_text(&problem, text);
        say("%s: %s: %s", command, path, text);
    }
    return recording;
}

static int subject_open(struct tree *self, const char *command, const char *path,
                        const struct profile_options *options, const struct tree_known *known)
{
    const size_t index = self->report.count;
    const struct embedded *made = known && index == 0 ? known->first : NULL;
    struct recording *recording = made ? recording_of(made, path) : read_one(command, path);
    if (!recording) return STATUS_FAILED;
    if (known && known->has_end && index == known->index) finish_status(recording, &known->end);
    struct profile *profile = profile_create(recording, options);
    if (!profile) {
        if (!made) recording_close(recording);
        say("%s: %s: not enough memory to read it", command, path);
        return STATUS_FAILED;
    }
    self->recordings[index] = made ? NULL : recording;
    bool is_copy = false;
    uint64_t age_ms = 0;
    const bool is_running = liveness_of_recording(path, &profile->process, &is_copy);
    // What rests says nothing of the time that goes by.
    if (is_running && !is_copy && liveness_age(&profile->process, &age_ms)) {
        profile_go_on(profile, age_ms);
    }
    const bool is_over = !is_running && profile->process.is_over;
    self->subjects[self->report.count++] = (struct report_subject){
        .profile = profile,
        .path = path,
        .life = is_running ? REPORT_RUNNING
                : is_over  ? REPORT_OVER
                           : REPORT_LIFE_UNKNOWN,
    };
    return STATUS_OK;
}

int tree_open(struct tree *self, const char *command, const char *const *paths, size_t count,
              const struct profile_options *options, const struct tree_known *known)
{
    *self = (struct tree){
        .subjects = calloc(count, sizeof *self->subjects),
        .recordings = calloc(count, sizeof *self->recordings),
    };
    int status = STATUS_OK;
    if (!self->subjects || !self->recordings) {
        say("%s: out of memory", command);
        status = STATUS_FAILED;
    }
    self->report.subjects = self->subjects;
    for (size_t i = 0; i < count && !status; i++) {
        status = subject_open(self, command, paths[i], options, known);
    }
    if (status) tree_close(self);
    return status;
}

void tree_close(struct tree *self)
{
    for (size_t i = 0; i < self->report.count; i++) {
        profile_destroy((struct profile *)self->subjects[i].profile); // ours, lent as const
        recording_close(self->recordings[i]);
    }
    free(self->subjects);
    free(self->recordings);
    *self = (struct tree){0};
}

char *tree_newest(const char *command)
{
    glob_t found = {0};
    char *newest = NULL;
    const int result = glob("*.mete", 0, NULL, &found);
    if (result != 0 && result != GLOB_NOMATCH) {
        say("%s: cannot look for recordings here: %s", command, strerror(errno));
        return NULL;
    }
    struct timespec best = {0};
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct stat st;
        if (stat(found.gl_pathv[i], &st) != 0 || !S_ISREG(st.st_mode)) continue;
        const bool is_newer =
            st.st_mtim.tv_sec > best.tv_sec ||
            (st.st_mtim.tv_sec == best.tv_sec && st.st_mtim.tv_nsec > best.tv_nsec);
        if (newest && !is_newer) continue;
        best = st.st_mtim;
        free(newest);
        newest = strdup(found.gl_pathv[i]);
        if (!newest) break;
    }
    globfree(&found);
    if (!newest) say("%s: there is no recording (*.mete) here; name one", command);
    return newest;
}
