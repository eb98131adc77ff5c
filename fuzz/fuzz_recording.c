// Any file: the reader refuses it or gives what its promises say, and whatever it gives can be
// written anew, read again and told in every form.
#include "record/finish.h"
#include "record/reader.h"
#include "report/report.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition) abort();
}

static void check_index(uint32_t index, size_t count)
{
    require(index == RECORD_NONE || index < count);
}

// What reader.h promises.
static void check_promises(const struct recording *recording)
{
    require(recording->process_count == 1);
    require(recording->names_count <= recording->frames_count);
    for (size_t i = 0; i < recording->frames_count; i++) {
        check_index(recording->frames[i].module, recording->modules_count);
    }
    for (size_t i = 0; i < recording->nodes_count; i++) {
        check_index(recording->nodes[i].parent, i);
        require(recording->nodes[i].frame < recording->frames_count);
    }
    for (size_t i = 0; i < recording->sites_count; i++) {
        check_index(recording->sites[i].node, recording->nodes_count);
    }
    for (size_t i = 0; i < recording->rows_count; i++) {
        require(recording->rows[i].site < recording->sites_count);
        check_index(recording->rows[i].thread, recording->threads_count);
        require(recording->rows[i].snapshots <= RECORD_SNAPSHOTS);
    }
    for (size_t i = 0; i < recording->names_count; i++) {
        const struct record_name *name = &recording->names[i];
        require((uint64_t)name->first + name->count <= recording->lines_count || !name->count);
    }
    for (size_t i = 0; i < recording->lines_count; i++) {
        const struct record_text text = recording->lines[i].function;
        require((uint64_t)text.offset + text.size <= recording->bytes_count || !text.size);
    }
}

// A stream that counts what the reports write, and the longest line.
struct sink {
    char *bytes;
    size_t size;
};

static void check_summary(const struct report_tree *tree, enum figures_key key, bool is_rich)
{
    struct sink sink = {0};
    FILE *out = open_memstream(&sink.bytes, &sink.size);
    require(out != NULL);
    const struct report_style style = {
        .has_unicode = is_rich, .has_colour = is_rich, .is_exact = !is_rich};
    report_summary(out, style, tree, key);
    require(fclose(out) == 0);
    size_t lines = 0;
    for (size_t i = 0; i < sink.size; i++) {
        const unsigned char c = (unsigned char)sink.bytes[i];
        lines += c == '\n';
        // Nothing from outside commands the terminal.
        require(c >= ' ' || c == '\n' || (c == '\033' && is_rich));
        if (c == '\033') require(sink.bytes[i + 1] == '[');
    }
    require(lines <= REPORT_LINES_MAX);
    free(sink.bytes);
}

static void check_reports(const struct profile *profile)
{
    const struct report_subject subjects[] = {
        {.profile = profile, .path = "a.mete"},
        {.profile = profile, .path = "-b'.mete", .life = REPORT_RUNNING},
    };
    const struct report_tree tree = {
        .subjects = subjects,
        .count = 2,
        .unlisted = 3,
        .started = 1,
    };
    for (int key = 0; key <= FIGURES_KEY_COUNT; key++) {
        check_summary(&tree, (enum figures_key)key, key % 2 == 0);
    }
    struct sink sink = {0};
    FILE *out = open_memstream(&sink.bytes, &sink.size);
    require(out != NULL);
    const struct report_style style = {.has_unicode = true};
    report_full(out, style, &subjects[0], FIGURES_BYTES);
    report_folded(out, &tree, FIGURES_ALLOCATIONS);
    for (size_t i = 0; i < profile->sites_count && i < 4; i++) {
        report_site(out, style, &subjects[0], i);
    }
    require(report_json(out, &tree) == 0);
    require(fclose(out) == 0);
    free(sink.bytes);
}

static struct recording *read_bytes(const void *bytes, size_t size)
{
    const int fd = memfd_create("fuzz", MFD_CLOEXEC);
    require(fd >= 0);
    require(write(fd, bytes, size) == (ssize_t)size);
    struct reader_problem problem = {0};
    struct recording *recording = recording_read(fd, &problem);
    close(fd);
    if (!recording) {
        char text[READER_PROBLEM_SIZE];
        require(problem.fault != READER_NO_FAULT);
        reader_problem_text(&problem, text);
        require(*text != '\0');
    }
    return recording;
}

// Names that depend on the frame, so that they are there and not there.
static size_t name_frame(void *context, const struct recording *recording, size_t frame,
                         struct finish_line *lines_out, size_t max)
{
    static const char *const names[] = {"f", "std::g<int>(int)", "", NULL};
    (void)context;
    (void)max;
    const uint64_t offset = recording->frames[frame].offset;
    for (size_t i = 0; i < offset % 3; i++) {
        lines_out[i] = (struct finish_line){.function = names[(offset + i) % 4], .line = 1};
    }
    return offset % 3;
}

static void check_written_anew(struct recording *recording)
{
    require(finish_names(recording, name_frame, NULL) == 0);
    const int fd = memfd_create("fuzz", MFD_CLOEXEC);
    require(fd >= 0 && finish_write(recording, fd) == 0);
    struct reader_problem problem;
    struct recording *again = recording_read(fd, &problem);
    close(fd);
    require(again != NULL && again->missing == 0 && again->unbelieved == 0);
    require(again->rows_count == recording->rows_count);
    require(again->bytes_count == recording->bytes_count);
    recording_close(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct recording *recording = read_bytes(data, size);
    if (!recording) return 0;
    check_promises(recording);
    const char *skips[] = {"f", "*::*", "?"};
    const struct profile_options options[] = {{0},
                                              {.skips = skips, .skip_count = 3, .filter = "a"}};
    for (size_t i = 0; i < 2; i++) {
        struct profile *profile = profile_create(recording, &options[i]);
        require(profile != NULL);
        check_reports(profile);
        profile_destroy(profile);
    }
    check_written_anew(recording);
    recording_close(recording);
    return 0;
}
