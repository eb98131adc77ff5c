#include "track/recorder.h"

#include "base/pattern.h"
#include "base/text.h"
#include "mete/version.h"
#include "os/process.h"

#include <errno.h>
#include <string.h>

enum { IMAGES_MAX = 1000, PATH_SIZE = 4096, NAME_SIZE = 256 };

struct recorder recorder;

static char pattern[PATH_SIZE]; // of its path: the program may change where it came from
static char name[NAME_SIZE];    // of the program, as it was started
static void (*refused)(const char *path, int error);

static const char *const loss_words[LOSS_COUNT] = {
    [LOSS_SIGNAL] = "in a signal handler that interrupted the recorder",
    [LOSS_LEFT] = "left half-way by the jump of a handler",
    [LOSS_ROOM] = RECORD_LOST_ROOM,
    [LOSS_MEMORY] = "no memory for the recorder",
    [LOSS_CHILD] = "forked children that could not record at all",
    [LOSS_STRICT] = "strict seccomp, and all that came after it",
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

static bool write_path(char *path, size_t size, uint32_t pid, uint32_t image)
{
    char pid_text[16];
    char image_text[16];
    struct text words = text_in(pid_text, sizeof pid_text);
    text_add_decimal(&words, pid);
    words = text_in(image_text, sizeof image_text);
    text_add_decimal(&words, image);
    const struct pattern_field fields[] = {
        {'p', pid_text},
        {'i', image_text},
        {'n', name},
    };
    return pattern_expand(pattern, fields, sizeof fields / sizeof fields[0], path, size);
}

static int create_file(uint32_t pid, uint32_t *image_out)
{
    static char path[PATH_SIZE];
    int error = -EEXIST;
    for (uint32_t image = 1; image <= IMAGES_MAX && error == -EEXIST; image++) {
        *image_out = image;
        if (!write_path(path, sizeof path, pid, image)) return -ENAMETOOLONG;
        error = record_writer_open(&recorder.writer, path);
        if (!pattern_has(pattern, 'i')) break;
    }
    return error;
}

static struct record_text arguments_text(const struct recorder_options *options)
{
    struct record_text all = {.offset = record_writer_count(&recorder.writer, RECORD_TABLE_bytes)};
    for (int i = 0; options->has_arguments && i < options->argument_count; i++) {
        const char *argument = options->arguments[i];
        all.size += record_writer_text(&recorder.writer, argument, strlen(argument) + 1).size;
    }
    return all;
}

// What could not become a recording.
static void remove_file(uint32_t pid, uint32_t image)
{
    char path[PATH_SIZE];
    // First: a handler may come.
    recorder.process = NULL;
    memset(recorder.lost, 0, sizeof recorder.lost);
    record_writer_close(&recorder.writer);
    if (write_path(path, sizeof path, pid, image)) shared_file_remove(path);
}

void recorder_drop(void)
{
    if (recorder.process) remove_file(recorder.process->pid, recorder.process->image);
}

// A file, its clock, and who writes it. 0, or -errno.
static int begin_file(void)
{
    uint32_t pid = process_id();
    uint32_t image;
    int error = create_file(pid, &image);
    if (error) return error;
    uint32_t index;
    struct record_process *process =
        record_writer_add(&recorder.writer, RECORD_TABLE_process, &index);
    if (!process) {
        error = recorder.writer.error;
        remove_file(pid, image);
        return error;
    }
    recorder.start_ms = clock_coarse_ms();
    process->clock_real_ns = clock_real_ns();
    process->clock_monotonic_ms = recorder.start_ms;
    process->pid = pid;
    process->parent_pid = process_parent_id();
    process->image = image;
    process->is_peak_exact = 1;
    recorder.process = process;
    return 0;
}

static void describe_process(const struct recorder_options *options)
{
    struct record_process *process = recorder.process;
    static char buffer[PATH_SIZE];
    process_program(buffer, sizeof buffer);
    process->program = recorder_text(buffer);
    process->name = recorder_text(name);
    process->command = arguments_text(options);
    process_directory(buffer, sizeof buffer);
    process->directory = recorder_text(buffer);
    process_host(buffer, sizeof buffer);
    process->host = recorder_text(buffer);
    process->version = recorder_text(METE_VERSION);
}

// A row per reason, in their order.
static bool begin_losses(void)
{
    for (int i = 0; i < LOSS_COUNT; i++) {
        uint32_t index;
        recorder.lost[i] = record_writer_add(&recorder.writer, RECORD_TABLE_lost, &index);
        if (!recorder.lost[i]) return false;
        recorder.lost[i]->reason = recorder_text(loss_words[i]);
        record_writer_publish(&recorder.writer, RECORD_TABLE_lost);
    }
    return true;
}

int recorder_open(const struct recorder_options *options)
{
    struct text copy = text_in(pattern, sizeof pattern);
    text_add(&copy, options->path);
    refused = options->refused;
    process_name(options->argument_count > 0 ? options->arguments[0] : NULL, name, sizeof name);
    int error = begin_file();
    if (error) return error;
    describe_process(options);
    if (!begin_losses()) {
        error = recorder.writer.error;
        recorder_drop();
        return error;
    }
    record_writer_publish(&recorder.writer, RECORD_TABLE_process);
    return 0;
}

// The parent's rows are ours to begin with.
static bool copy_tables(const struct record_writer *parent)
{
    static const enum record_table tables[] = {
        RECORD_TABLE_bytes, RECORD_TABLE_modules, RECORD_TABLE_frames,
        RECORD_TABLE_nodes, RECORD_TABLE_sites,
    };
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        if (!record_writer_copy(&recorder.writer, parent, tables[i])) return false;
    }
    return true;
}

static int begin_as_child(const struct record_writer *parent, struct record_process *was)
{
    int error = begin_file();
    if (error) return error;
    struct record_process *process = recorder.process;
    if (!copy_tables(parent) || !begin_losses()) {
        error = recorder.writer.error;
        recorder_drop();
        return error;
    }
    process->inherits_from_pid = was->pid;
    process->program = was->program;
    process->name = was->name;
    process->command = was->command;
    process->directory = was->directory;
    process->host = was->host;
    process->version = was->version;
    record_writer_publish(&recorder.writer, RECORD_TABLE_process);
    return 0;
}

// Who is told that there is none has what is left of the parent's.
static void restore(const struct recorder *parent)
{
    recorder = *parent;
    held_lock_reset(&recorder.lock);
}

int recorder_reopen(struct recorder *parent_out, bool is_within)
{
    *parent_out = recorder; // its counts are ours since the fork
    struct record_process was = *recorder.process;
    held_lock_reset(&recorder.lock);
    int error = begin_as_child(&parent_out->writer, &was);
    if (!error && is_within && !record_writer_outgrow(&recorder.writer, &parent_out->writer)) {
        error = recorder.writer.error ? recorder.writer.error : -ENOMEM;
        recorder_drop();
    }
    if (error) restore(parent_out);
    return error;
}

void recorder_settle(struct recorder *parent, bool is_kept, bool is_within)
{
    if (!is_kept) {
        recorder_drop();
        restore(parent);
    } else if (is_within) {
        record_writer_detach(&parent->writer);
    } else {
        record_writer_close(&parent->writer);
    }
}

void recorder_refuse(int error)
{
    struct record_lost *row = recorder.lost[LOSS_CHILD];
    bool is_first = !row || __atomic_fetch_add(&row->events, 1, __ATOMIC_RELAXED) == 0;
    record_writer_detach(&recorder.writer);
    if (is_first && refused) refused(pattern, error);
}

void recorder_end(enum record_state state)
{
    recorder.process->duration_ms = recorder_now_ms();
    recorder.process->state = state;
}
