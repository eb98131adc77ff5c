#include "cli/recordings_keep.h"

#include "base/pattern.h"
#include "cli/output.h"
#include "cli/recording_embed.h"
#include "cli/recording_move.h"
#include "cli/recording_name.h"
#include "cli/unrecorded.h"
#include "record/tables.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LINES_MAX = 3,    // of one kind: nobody reads more
    TRIES_MAX = 1000, // names that are taken by what is no recording
};

struct keep {
    struct recordings *recordings;
    const struct keep_plan *plan;
    struct embedder *embedder; // NULL for want of memory: then recordings stay as they are
    bool *is_kept;             // by index
    unsigned number_next;      // where names are to be told apart by numbers alone
    size_t alive_count;
    size_t stayed_count;
    size_t nameless_count; // that could not be made whole
};

static bool is_used(const struct keep *self, const char *path)
{
    for (size_t i = 0; i < self->recordings->count; i++) {
        if (self->is_kept[i] && strcmp(self->recordings->items[i].path, path) == 0) return true;
    }
    return false;
}

static const char *program_of(const struct keep *self, const struct recording *item)
{
    return item->facts.program[0] ? item->facts.program : self->plan->program;
}

static size_t lines_max(const struct keep *self)
{
    return self->plan->is_late ? 1 : LINES_MAX;
}

static void say_where_it_stays(struct keep *self, const struct recording *item, const char *target,
                               int error)
{
    const char *mend = item->is_in_memory ? ", in memory: move it where there is room" : "";
    if (self->stayed_count++ >= lines_max(self)) return;
    if (self->plan->is_late) {
        say_to(self->plan->out,
               "run: an earlier run's recording stays in '%s'%s; cannot write '%s': %s", item->path,
               mend, target, strerror(-error));
    } else {
        say_to(self->plan->out, "run: cannot write '%s': %s; the recording stays in '%s'%s", target,
               strerror(-error), item->path, mend);
    }
}

// Whether the command's own process ended as that program: as its last, or as one that did not say
// that another took its place, as when both are in one process (an emulator and what it runs).
static bool is_end_of_command(const struct keep *self, size_t index)
{
    const struct recording *item = &self->recordings->items[index];
    if (item->pid != self->plan->end->pid || item->facts.state == RECORD_EXECED) return false;
    return item->facts.state == RECORD_RUNNING || index + 1 == self->recordings->count ||
           item[1].pid != item->pid;
}

static void say_nameless(struct keep *self, const struct recording *item, int error)
{
    if (self->nameless_count++ >= LINES_MAX) return;
    say_to(self->plan->out,
           "run: the recording of pid %d has no names: %s; 'mete report --embed' adds them later",
           (int)item->pid, strerror(-error));
}

// Makes it whole. One that cannot be, NULL, is kept as it is.
static struct embedded *make_whole(struct keep *self, size_t index)
{
    const struct recording *item = &self->recordings->items[index];
    const struct child_end *end = self->plan->end;
    const struct process_end known = child_end_known(end);
    const struct embed_plan plan = {
        .has_names = self->plan->has_names,
        .is_over = true,
        .run = self->plan->run,
        .command_pid = end->pid,
        .end = is_end_of_command(self, index) ? &known : NULL,
    };
    struct embedded *made = NULL;
    const int error =
        self->embedder ? embedder_make(self->embedder, item->path, &plan, &made) : -ENOMEM;
    if (error) say_nameless(self, item, error);
    return made;
}

// It is smaller then. What cannot be put there is forgotten.
static void put_where_it_lies(struct keep *self, const struct recording *item,
                              struct embedded **made)
{
    const int error = embedded_replace(*made, item->path);
    if (!error) return;
    say_nameless(self, item, error);
    embedded_close(*made);
    *made = NULL;
}

// What was made of one, and whether it lies where the recording did.
struct whole {
    struct embedded *made; // NULL: the recording stays as it is
    bool is_in_place;
};

// Moves one to a name. Where it would have to be copied anyway, what was made of it is written
// there at once, if there is room.
static int move_to(struct keep *self, const struct recording *item, struct whole *whole,
                   const char *target, bool may_replace)
{
    if (whole->made && !whole->is_in_place && item->is_in_memory) {
        const int error = recording_move_made(whole->made, item->path, target, may_replace);
        if (!error || error == -EEXIST) return error;
    }
    if (whole->made && !whole->is_in_place) put_where_it_lies(self, item, &whole->made);
    whole->is_in_place = true;
    return recording_move(item->path, target, may_replace);
}

// Moves one to the first name that is free or holds an older recording.
static void keep_one(struct keep *self, size_t index, struct whole *whole)
{
    struct recording *item = &self->recordings->items[index];
    const char *pattern = self->plan->pattern;
    struct recording_name name = {program_of(self, item), self->plan->host, item->pid, 1};
    if (pattern_has(pattern, 'p') || pattern[strlen(pattern) - 1] == '/') name.number = item->image;
    char target[PATH_MAX];
    char refused[PATH_MAX] = "";
    const bool is_late = self->plan->is_late;
    int error = -EEXIST;
    for (unsigned i = 0; error == -EEXIST && i < TRIES_MAX + self->recordings->count; i++) {
        if (!recording_name_write(&name, pattern, target, sizeof target)) {
            error = -ENAMETOOLONG;
            break;
        }
        if (!is_used(self, target)) {
            error = move_to(self, item, whole, target, !is_late && refused[0] == '\0');
            if (error == -EEXIST && !refused[0]) strcpy(refused, target);
        }
        if (error == -EEXIST) {
            name.number = self->number_next > name.number ? self->number_next : name.number + 1;
        }
    }
    if (error) {
        if (whole->made && !whole->is_in_place) put_where_it_lies(self, item, &whole->made);
        say_where_it_stays(self, item, target, error);
        return;
    }
    if (!pattern_has(pattern, 'p') && name.number > 1) self->number_next = name.number + 1;
    char *path = strdup(target);
    if (path) {
        free(item->path);
        item->path = path;
        self->is_kept[index] = true;
    }
    if (refused[0] && !is_late) {
        say_to(self->plan->out, "run: '%s' is no recording and is left alone; this one is in '%s'",
               refused, target);
    }
}

static void keep(struct keep *self, size_t index, size_t main)
{
    struct recording *item = &self->recordings->items[index];
    item->is_main = index == main;
    if (!item->is_main && !self->plan->keeps_children) {
        item->is_dropped = true;
        (void)unlink(item->path); // a process that still has it mapped does not mind
    } else if (!item->is_alive) {
        struct whole whole = {.made = make_whole(self, index)};
        keep_one(self, index, &whole);
        // What is in it is told soon; of the others little is.
        if (item->is_main) item->made = whole.made;
        if (!item->is_main) embedded_close(whole.made);
    } else if (self->alive_count++ < LINES_MAX && !self->plan->is_late) {
        say_to(self->plan->out, "run: %s (pid %d) still runs and goes on recording in '%s'",
               program_of(self, item), (int)item->pid, item->path);
    }
}

// Those that may yet make a recording there; whether there are any.
static bool say_who_may_record(const struct keep *self, const struct live_folder *folder)
{
    struct unrecorded all[LINES_MAX];
    const struct keep_plan *plan = self->plan;
    const pid_t after = plan->is_late ? 0 : unrecorded_after(plan->end->wall_ns);
    const size_t count = unrecorded_find(folder, after, all, LINES_MAX);
    const bool is_told = plan->keeps_children && !plan->is_late;
    for (size_t i = 0; is_told && i < count && i < LINES_MAX; i++) {
        say_to(plan->out,
               "run: %s (pid %d) still runs and has allocated nothing yet; it would record in '%s'",
               all[i].name, (int)all[i].pid, folder->path);
    }
    if (is_told && count > LINES_MAX) {
        say_to(plan->out, "run: and %zu more that %s allocated nothing yet", count - LINES_MAX,
               count - LINES_MAX == 1 ? "has" : "have");
    }
    return count > 0;
}

// Removes a folder, unless something is in it or may yet come to be.
static void leave(struct keep *self, struct live_folder *folder, bool is_unwanted)
{
    const struct keep_plan *plan = self->plan;
    const bool is_stayed = !self->is_kept || self->alive_count > 0 || self->stayed_count > 0;
    if (is_unwanted) live_folder_set_unwanted(folder);
    if (self->stayed_count > 0) live_folder_set_told(folder);
    // Who records in an earlier run's keeps it: no need to look for others.
    if (!(plan->is_late && is_stayed) && say_who_may_record(self, folder)) {
        live_folder_close(folder);
    } else if (!live_folder_destroy(folder) && !plan->is_late && !is_stayed && !is_unwanted) {
        say_to(plan->out, "run: '%s' is not empty and stays", folder->path);
    }
}

void recordings_keep(struct recordings *self, size_t main, const struct keep_plan *plan,
                     struct live_folder *folders, size_t count)
{
    struct keep state = {
        .recordings = self,
        .plan = plan,
        .embedder = embedder_create(),
        .is_kept = calloc(self->count + 1, sizeof(bool)),
        .number_next = 2,
    };
    if (state.is_kept) {
        // A plain name is the main program's.
        if (main < self->count) keep(&state, main, main);
        for (size_t i = 0; i < self->count; i++) {
            if (i != main) keep(&state, i, main);
        }
    }
    if (state.alive_count > LINES_MAX && !plan->is_late) {
        say_to(plan->out, "run: and %zu more that still run%s", state.alive_count - LINES_MAX,
               state.alive_count - LINES_MAX == 1 ? "s" : "");
    }
    if (state.nameless_count > LINES_MAX) {
        say_to(plan->out, "run: and %zu more without names", state.nameless_count - LINES_MAX);
    }
    if (state.stayed_count > lines_max(&state)) {
        const size_t more = state.stayed_count - lines_max(&state);
        say_to(plan->out, "run: and %zu more that stay%s there", more, more == 1 ? "s" : "");
    }
    // A child that goes on makes a recording when it becomes another program, just now perhaps.
    const bool is_unwanted =
        !plan->keeps_children && state.is_kept && state.alive_count == 0 && state.stayed_count == 0;
    for (size_t i = 0; i < count; i++) {
        if (folders[i].fd >= 0) leave(&state, &folders[i], is_unwanted);
    }
    embedder_destroy(state.embedder);
    free(state.is_kept);
}
