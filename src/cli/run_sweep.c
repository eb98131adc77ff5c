#include "cli/run_sweep.h"

#include "base/pattern.h"
#include "cli/live_folder.h"
#include "cli/output.h"
#include "cli/recordings_keep.h"
#include "cli/unrecorded.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// One line for a folder: where its recordings are now.
static void tell(const struct recordings *recordings, const struct live_folder *folder, FILE *out)
{
    const char *first = NULL;
    size_t moved = 0;
    for (size_t i = 0; i < recordings->count; i++) {
        const struct recording *item = &recordings->items[i];
        if (item->is_alive || strncmp(item->path, folder->path, strlen(folder->path)) == 0)
            continue;
        if (!first) first = item->path;
        moved++;
    }
    if (moved == 1) say_to(out, "run: an earlier run left a recording, which is now '%s'", first);
    if (moved > 1) {
        say_to(out, "run: an earlier run left %zu recordings, which are now '%s' and beside it",
               moved, first);
    }
}

struct sweep {
    const struct live_folder *own;
    size_t own_count;
    FILE *out;
};

enum { DEPTH = 2 }; // in memory, and where recordings found there were to go

static void look_into(const struct sweep *self, const char *folder, int depth);

// Removes what nobody wants; what still is written to stays for the next time.
static void clear(struct live_folder *folder, const struct recordings *recordings)
{
    for (size_t i = 0; i < recordings->count; i++) {
        if (!recordings->items[i].is_alive) (void)unlink(recordings->items[i].path);
    }
    if (unrecorded_find(folder, 0, NULL, 0) > 0) {
        live_folder_close(folder); // who may yet record there would say that it cannot
    } else {
        (void)live_folder_destroy(folder);
    }
}

static void take_over(const struct sweep *self, struct live_folder *folder, int depth)
{
    char host[256] = "";
    char pattern[PATH_MAX];
    struct recordings recordings;
    const struct child_end end = {0}; // it is not known how any ended
    (void)gethostname(host, sizeof host - 1);
    (void)recordings_find(&recordings, folder, 1, 0); // what cannot be read stays
    if (live_folder_is_unwanted(folder)) {
        clear(folder, &recordings);
        recordings_deinit(&recordings);
        return;
    }
    size_t ended = 0;
    const bool has_target = live_folder_target(folder, pattern, sizeof pattern);
    for (size_t i = 0; i < recordings.count; i++) ended += !recordings.items[i].is_alive;
    FILE *out = live_folder_is_told(folder) ? NULL : self->out;
    if (ended > 0 && !has_target) {
        say_to(out, "run: an earlier run left %zu recording%s in '%s'; 'mete report' reads %s",
               ended, ended == 1 ? "" : "s", folder->path, ended == 1 ? "it" : "them");
        live_folder_set_told(folder);
        close(folder->fd);
    } else {
        const struct keep_plan plan = {
            .pattern = has_target ? pattern : ".",
            .program = "program",
            .keeps_children = true,
            .host = host,
            .has_names = true,
            .is_late = true,
            .out = out,
            .end = &end,
            .run = live_folder_run(folder),
        };
        recordings_keep(&recordings, recordings_main(&recordings, 0), &plan, folder, 1);
        tell(&recordings, folder, self->out);
    }
    recordings_deinit(&recordings);
    // What its mete had put there already. A folder that is named after each process is not known.
    char *slash = has_target ? strrchr(pattern, '/') : NULL;
    if (!slash || depth == 0) return;
    slash[1] = '\0';
    char place[PATH_MAX];
    if (pattern_expand(pattern, NULL, 0, place, sizeof place)) look_into(self, place, depth - 1);
}

static bool is_own(const struct sweep *self, const char *path)
{
    for (size_t i = 0; i < self->own_count; i++) {
        if (strcmp(self->own[i].path, path) == 0) return true;
    }
    return false;
}

static void look_into(const struct sweep *self, const char *folder, int depth)
{
    char real[PATH_MAX];
    if (!realpath(folder, real)) return;
    folder = real;
    DIR *opened = opendir(folder);
    if (!opened) return;
    for (const struct dirent *entry; (entry = readdir(opened));) {
        char path[PATH_MAX];
        struct live_folder found;
        if (!live_folder_is_name(entry->d_name)) continue;
        if (snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) >= (int)sizeof path) {
            continue;
        }
        if (is_own(self, path) || live_folder_adopt(&found, path) != 0) continue;
        take_over(self, &found, depth);
    }
    closedir(opened);
}

void run_sweep(const struct live_folder *own, size_t count, const char *beside, FILE *out)
{
    const struct sweep self = {own, count, out};
    for (size_t i = 0; i < count; i++) {
        char folder[PATH_MAX];
        const char *slash = strrchr(own[i].path, '/');
        if (!slash) continue; // it was never made
        (void)snprintf(folder, sizeof folder, "%.*s", (int)(slash - own[i].path) + 1, own[i].path);
        look_into(&self, folder, DEPTH - 1);
    }
    look_into(&self, beside, 0);
}
