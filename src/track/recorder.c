#include "track/recorder.h"

#include "base/text.h"
#include "mete/version.h"
#include "os/process.h"

#include <errno.h>
#include <string.h>

enum { IMAGES_MAX = 1000, PATH_SIZE = 4096 };

struct recorder recorder;

static const char *const loss_words[LOSS_COUNT] = {
    [LOSS_SIGNAL] = "in a signal handler that interrupted the recorder",
    [LOSS_ROOM] = "no room in the recording",
    [LOSS_MEMORY] = "no memory for the recorder",
};

void recorder_lose(enum recorder_loss why)
{
    struct record_lost *row = recorder.lost[why];
    if (row) __atomic_fetch_add(&row->events, 1, __ATOMIC_RELAXED);
}

struct record_text recorder_text(const char *text)
{
    return record_writer_text(&recorder.writer, text, strlen(text));
}

static void write_path(char *path, size_t size, const char *pattern, uint32_t pid, uint32_t image)
{
    struct text text = text_in(path, size);
    for (const char *at = pattern; *at; at++) {
        if (at[0] == '%' && at[1] == 'p') {
            text_add_decimal(&text, pid);
            at++;
        } else if (at[0] == '%' && at[1] == 'i') {
            text_add_decimal(&text, image);
            at++;
        } else {
            text_add(&text, (char[]){*at, '\0'});
        }
    }
}

static int create_file(const char *pattern, uint32_t pid, uint32_t *image_out)
{
    char path[PATH_SIZE];
    int error = -EEXIST;
    for (uint32_t image = 1; image <= IMAGES_MAX && error == -EEXIST; image++) {
        *image_out = image;
        write_path(path, sizeof path, pattern, pid, image);
        error = record_writer_open(&recorder.writer, path);
    }
    return error;
}

static struct record_text arguments_text(const struct recorder_options *options)
{
    struct record_text all = {.offset = recorder.writer.tables[RECORD_TABLE_bytes].count};
    for (int i = 0; options->has_arguments && i < options->argument_count; i++) {
        const char *argument = options->arguments[i];
        all.size += record_writer_text(&recorder.writer, argument, strlen(argument) + 1).size;
    }
    return all;
}

static void describe_process(const struct recorder_options *options, uint32_t pid, uint32_t image)
{
    uint32_t index;
    struct record_process *process =
        record_writer_add(&recorder.writer, RECORD_TABLE_process, &index);
    if (!process) return;
    char buffer[PATH_SIZE];
    process->clock_real_ns = clock_real_ns();
    process->clock_monotonic_ms = recorder.start_ms;
    process->pid = pid;
    process->parent_pid = process_parent_id();
    process->image = image;
    process_program(buffer, sizeof buffer);
    process->program = recorder_text(buffer);
    process->command = arguments_text(options);
    process_directory(buffer, sizeof buffer);
    process->directory = recorder_text(buffer);
    process_host(buffer, sizeof buffer);
    process->host = recorder_text(buffer);
    process->version = recorder_text(METE_VERSION);
    process->is_peak_exact = 1;
    recorder.process = process;
    record_writer_publish(&recorder.writer, RECORD_TABLE_process);
}

int recorder_open(const struct recorder_options *options)
{
    uint32_t pid = process_id();
    uint32_t image;
    int error = create_file(options->path, pid, &image);
    if (error) return error;
    recorder.start_ms = clock_coarse_ms();
    describe_process(options, pid, image);
    for (int i = 0; i < LOSS_COUNT; i++) {
        uint32_t index;
        recorder.lost[i] = record_writer_add(&recorder.writer, RECORD_TABLE_lost, &index);
        if (!recorder.lost[i]) return -ENOSPC;
        recorder.lost[i]->reason = recorder_text(loss_words[i]);
        record_writer_publish(&recorder.writer, RECORD_TABLE_lost);
    }
    return recorder.process ? 0 : -ENOSPC;
}

void recorder_end(enum record_state state)
{
    recorder.process->duration_ms = recorder_now_ms();
    recorder.process->state = state;
}
