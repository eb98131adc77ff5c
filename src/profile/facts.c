#include "profile/inside.h"

#include "profile/wrappers.h"

#include <stdlib.h>
#include <string.h>

const char *profile_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

const char *profile_string(struct profile *self, struct record_text text)
{
    const char *bytes = recording_text(self->recording, text);
    return strings_add(&self->places->strings, bytes, text.size);
}

// The arguments, each of which ends with a zero.
static bool command_read(struct profile *self, struct record_text text)
{
    const char *at = recording_text(self->recording, text);
    const char *end = at + text.size;
    size_t count = 0;
    for (const char *c = at; c < end; c++) count += *c == '\0';
    struct profile_process *process = &self->process;
    process->command = calloc(count + 2, sizeof *process->command);
    if (!process->command) return false;
    while (at < end) {
        const size_t len = strnlen(at, (size_t)(end - at));
        const char *word = strings_add(&self->places->strings, at, len);
        if (!word) return false;
        process->command[process->command_count++] = word;
        at += len + 1;
    }
    return true;
}

static bool process_read(struct profile *self)
{
    const struct record_process *from = self->recording->process;
    self->process = (struct profile_process){
        .program = profile_string(self, from->program),
        .name = profile_string(self, from->name),
        .directory = profile_string(self, from->directory),
        .host = profile_string(self, from->host),
        .version = profile_string(self, from->version),
        .pid = from->pid,
        .parent_pid = from->parent_pid,
        .image = from->image,
        .inherits_from_pid = from->inherits_from_pid,
        .state = from->state <= RECORD_WAITED ? (enum profile_state)from->state : PROFILE_RUNNING,
        .is_over = from->is_over != 0,
        .status = (int)from->status,
        .begin_ms = from->clock_real_ns / 1000000,
        .begin_monotonic_ms = from->clock_monotonic_ms,
        .duration_ms = from->duration_ms,
        .peak_bytes = from->peak_bytes,
        .peak_blocks = from->peak_blocks,
        .peak_ms = from->peak_ms,
        .is_peak_exact = from->is_peak_exact != 0,
    };
    const struct profile_process *to = &self->process;
    if (!to->program || !to->name || !to->directory || !to->host || !to->version) return false;
    return command_read(self, from->command);
}

// Finds which modules are one file, loaded more than once: strings are unique, so that pointers
// tell. Open addressing; holds indices + 1.
static bool modules_match(struct profile *self)
{
    size_t place_count = 64;
    while (place_count < 2 * self->modules_count) place_count *= 2;
    uint32_t *places = calloc(place_count, sizeof *places);
    if (!places) return false;
    for (size_t i = 0; i < self->modules_count; i++) {
        struct profile_module *module = &self->modules[i];
        uint64_t hash = (uintptr_t)module->path * 0x9e3779b97f4a7c15u;
        hash = (hash ^ (uintptr_t)module->build_id) * 0x9e3779b97f4a7c15u;
        size_t at = (size_t)(hash >> 32) & (place_count - 1);
        for (; places[at] != 0; at = (at + 1) & (place_count - 1)) {
            const struct profile_module *other = &self->modules[places[at] - 1];
            if (other->path == module->path && other->build_id == module->build_id) break;
        }
        if (places[at] == 0) places[at] = (uint32_t)i + 1;
        // Without a path nobody knows what it is.
        module->same_as = *module->path ? places[at] - 1 : (uint32_t)i;
    }
    free(places);
    return true;
}

static bool modules_read(struct profile *self)
{
    const struct recording *recording = self->recording;
    self->modules = calloc(recording->modules_count + 1, sizeof *self->modules);
    if (!self->modules) return false;
    self->modules_count = recording->modules_count;
    for (size_t i = 0; i < self->modules_count; i++) {
        const struct record_module *from = &recording->modules[i];
        char build_id[RECORD_BUILD_ID_MAX * 2];
        for (size_t j = 0; j < from->build_id_size; j++) {
            build_id[2 * j] = "0123456789abcdef"[from->build_id[j] >> 4];
            build_id[2 * j + 1] = "0123456789abcdef"[from->build_id[j] & 15];
        }
        struct profile_module *to = &self->modules[i];
        to->path = profile_string(self, from->path);
        to->build_id = strings_add(&self->places->strings, build_id, from->build_id_size * 2);
        if (!to->path || !to->build_id) return false;
        to->name = *to->path ? profile_base_name(to->path) : "?";
        to->base = from->base;
        to->start = from->start;
        to->size = from->size;
        to->loaded_ms = from->loaded_ms;
        to->unloaded_ms = from->unloaded_ms;
        to->is_wrapper = wrapper_is_module(to->name);
        to->is_base = wrapper_is_base_module(to->name);
    }
    return modules_match(self);
}

static bool threads_read(struct profile *self)
{
    const struct recording *recording = self->recording;
    self->threads = calloc(recording->threads_count + 1, sizeof *self->threads);
    if (!self->threads) return false;
    self->threads_count = recording->threads_count;
    for (size_t i = 0; i < self->threads_count; i++) {
        const struct record_thread *from = &recording->threads[i];
        struct profile_thread *to = &self->threads[i];
        *to = (struct profile_thread){
            .name =
                strings_add(&self->places->strings, (const char *)from->name, sizeof from->name),
            .tid = from->tid,
            .is_alive = from->is_alive != 0,
            .first_ms = from->first_ms,
            .last_ms = from->last_ms,
            .frees_unseen = from->frees_unseen,
            .figures =
                {
                    .allocations = from->allocations,
                    .bytes_allocated = from->bytes_allocated,
                    .wasted_allocated = from->wasted_allocated,
                    .frees = from->frees,
                    .bytes_freed = from->bytes_freed,
                    .wasted_freed = from->wasted_freed,
                    .temporary = from->temporary,
                    .reallocations = from->reallocations,
                },
        };
        figures_settle(&to->figures);
        if (!to->name) return false;
    }
    return true;
}

static bool timeline_read(struct profile *self)
{
    const struct recording *recording = self->recording;
    // And one for the end, and one more where it goes on.
    self->timeline = calloc(recording->timeline_count + 2, sizeof *self->timeline);
    if (!self->timeline) return false;
    self->timeline_count = recording->timeline_count;
    const uint64_t interval_ms = recording->process->timeline_interval_ms;
    for (size_t i = 0; i < self->timeline_count; i++) {
        self->timeline[i] = (struct profile_point){
            .time_ms = (i + 1) * interval_ms,
            .live_bytes = recording->timeline[i].live_bytes,
            .allocations = recording->timeline[i].allocations,
        };
    }
    return true;
}

static int more_lost(const void *left, const void *right)
{
    const struct profile_tally *a = left;
    const struct profile_tally *b = right;
    return (b->count > a->count) - (b->count < a->count);
}

static bool tallies_read(struct profile *self)
{
    const struct recording *recording = self->recording;
    self->lost = calloc(recording->lost_count + 1, sizeof *self->lost);
    self->mappings = calloc(recording->mappings_count + 1, sizeof *self->mappings);
    if (!self->lost || !self->mappings) return false;
    self->lost_count = recording->lost_count;
    self->mappings_count = recording->mappings_count;
    for (size_t i = 0; i < self->lost_count; i++) {
        self->lost[i].name = profile_string(self, recording->lost[i].reason);
        self->lost[i].count = recording->lost[i].events;
        if (!self->lost[i].name) return false;
        const bool is_room = strcmp(self->lost[i].name, RECORD_LOST_ROOM) == 0;
        if (is_room && self->lost[i].count > 0) self->wants_room = true;
    }
    qsort(self->lost, self->lost_count, sizeof *self->lost, more_lost);
    for (size_t i = 0; i < self->mappings_count; i++) {
        const struct record_mapping *from = &recording->mappings[i];
        self->mappings[i].name = profile_string(self, from->call);
        self->mappings[i].count = from->calls;
        self->mappings[i].bytes = from->bytes;
        if (!self->mappings[i].name) return false;
    }
    return true;
}

static void raise_to(uint64_t *value, uint64_t other)
{
    if (*value < other) *value = other;
}

static void lower_to(uint64_t *value, uint64_t other)
{
    if (*value > other) *value = other;
}

// A program that has not ended has said at best how long it took until some moment before its last
// event. Where the end is known nothing is later: clocks that tick otherwise may have said so.
static void times_settle(struct profile *self)
{
    struct profile_process *process = &self->process;
    const bool has_said = process->duration_ms > 0;
    if (!has_said || process->state == PROFILE_RUNNING) {
        for (size_t i = 0; i < self->threads_count; i++) {
            raise_to(&process->duration_ms, self->threads[i].last_ms);
        }
        raise_to(&process->duration_ms, process->peak_ms);
    }
    if (!has_said && self->timeline_count > 0) {
        raise_to(&process->duration_ms, self->timeline[self->timeline_count - 1].time_ms);
    }
    lower_to(&process->peak_ms, process->duration_ms);
    for (size_t i = 0; i < self->timeline_count; i++) {
        lower_to(&self->timeline[i].time_ms, process->duration_ms);
    }
}

// Older recordings do not say how many threads there were: as many as have a row; the row that
// stands for none has no thread.
static void threads_count(struct profile *self)
{
    uint32_t count = 0;
    for (size_t i = 0; i < self->threads_count; i++) count += self->threads[i].tid != 0;
    const uint32_t said = self->recording->process->thread_count;
    self->process.thread_count = said > count ? said : count;
}

// What happened after the last whole interval: the timeline reaches to the end.
static void timeline_end(struct profile *self)
{
    const size_t count = self->timeline_count;
    const uint64_t end_ms = self->process.duration_ms;
    if (count > 0 && self->timeline[count - 1].time_ms >= end_ms) return;
    struct profile_point end = {
        .time_ms = end_ms,
        .live_bytes = self->recording->process->live_bytes,
    };
    for (size_t i = 0; i < self->threads_count; i++) {
        end.allocations += self->threads[i].figures.allocations;
    }
    self->timeline[self->timeline_count++] = end; // there is room
}

void profile_go_on(struct profile *self, uint64_t duration_ms)
{
    if (duration_ms <= self->process.duration_ms) return;
    self->process.duration_ms = duration_ms;
    timeline_end(self);
}

bool profile_facts(struct profile *self)
{
    self->missing = self->recording->missing;
    self->file_size = self->recording->file_size;
    self->file_space = self->recording->file_space;
    self->unbelieved = self->recording->unbelieved;
    if (!process_read(self) || !modules_read(self) || !threads_read(self)) return false;
    if (!timeline_read(self) || !tallies_read(self)) return false;
    times_settle(self);
    timeline_end(self);
    threads_count(self);
    return true;
}
