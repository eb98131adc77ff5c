#include "cli/recording_facts.h"

#include "record/reader.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

// The program's name without what a file's should not hold.
static void program_read(struct recording_facts *self, const struct recording *recording)
{
    const char *name = recording_text(recording, recording->process->name);
    const size_t whole = strnlen(name, recording->process->name.size);
    const size_t len = whole < sizeof self->program - 1 ? whole : sizeof self->program - 1;
    for (size_t i = 0; i < len; i++) {
        const unsigned char byte = (unsigned char)name[i];
        self->program[i] = byte < ' ' || byte == 0x7f || byte == '/' ? '_' : name[i];
    }
}

// Whether what cannot be read begins as a recording does.
static bool begins_well(const struct reader_problem *problem)
{
    switch (problem->fault) {
    case READER_CUT_OFF: return problem->have >= strlen(RECORD_MAGIC);
    case READER_NEWER:
    case READER_DAMAGED:
    case READER_TOO_LARGE: return true;
    default: return false;
    }
}

static void text_copy(char *to, size_t size, const struct recording *recording,
                      struct record_text text)
{
    memcpy(to, recording_text(recording, text), text.size < size ? text.size : size - 1);
}

struct recording_facts recording_facts_read(int fd)
{
    struct recording_facts self = {0};
    struct reader_problem problem;
    struct recording *recording = recording_read_process(fd, &problem);
    if (!recording) {
        self.is_recording = begins_well(&problem);
        return self;
    }
    const struct record_process *process = recording->process;
    self.is_recording = true;
    self.has_process = process->pid != 0;
    self.pid = process->pid;
    self.image = process->image;
    text_copy(self.host, sizeof self.host, recording, process->host);
    self.state = process->state;
    self.parent_pid = process->parent_pid;
    self.execs = process->execs;
    self.begin_ms = process->clock_real_ns / 1000000;
    self.begin_monotonic_ms = process->clock_monotonic_ms;
    self.run = process->run;
    self.run_pid = process->run_pid;
    self.duration_ms = process->duration_ms;
    self.peak_bytes = process->peak_bytes;
    self.leak_state = process->leak_state;
    self.leak_faults = process->leak_faults;
    self.lost_blocks = process->lost_blocks;
    self.lost_bytes = process->lost_bytes;
    text_copy(self.leak_reason, sizeof self.leak_reason, recording, process->leak_reason);
    self.inherits_from_pid = process->inherits_from_pid;
    for (size_t i = 0; i < recording->threads_count; i++) {
        self.allocations += recording->threads[i].allocations;
    }
    program_read(&self, recording);
    recording_close(recording);
    return self;
}

bool recording_facts_program(const char *path, char *program, size_t size)
{
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return false;
    struct reader_problem problem;
    struct recording *recording = recording_read_process(fd, &problem);
    close(fd);
    if (!recording) return false;
    const struct record_text text = recording->process->program;
    const bool is_fine = text.size > 0 && text.size < size;
    if (is_fine) {
        memcpy(program, recording_text(recording, text), text.size);
        program[text.size] = '\0';
    }
    recording_close(recording);
    return is_fine;
}

static uint64_t without(uint64_t value, uint64_t part)
{
    return part < value ? value - part : 0;
}

bool recording_facts_disinherit(struct recording_facts *self, const char *path)
{
    struct reader_problem problem;
    struct recording *recording = recording_open(path, &problem);
    if (!recording) return false;
    uint64_t bytes = 0;
    uint64_t allocations = 0;
    for (size_t i = 0; i < recording->rows_count; i++) {
        const struct record_row *row = &recording->rows[i];
        bytes += row->inherited_bytes;
        allocations += row->inherited;
    }
    self->peak_bytes = without(self->peak_bytes, bytes);
    self->allocations = without(self->allocations, allocations);
    self->inherits_from_pid = 0;
    recording_close(recording);
    return true;
}
