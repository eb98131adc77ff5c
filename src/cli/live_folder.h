// Live folder: a private folder in which the processes of one run keep their recordings while they
// run: in memory (tmpfs) where there is room, since there a page is dirtied again and again at no
// cost; else beside the place where they end. Belongs to the command line.
#pragma once

#include <limits.h>
#include <stdbool.h>

struct live_folder {
    char path[PATH_MAX]; // absolute
    bool is_in_memory;
    int fd;
};

// Makes one, 0700. `beside` is the folder where recordings end. 0, or -errno of the last attempt.
int live_folder_create(struct live_folder *self, const char *beside);

// Removes it if it is empty; whether it is gone.
bool live_folder_destroy(struct live_folder *self);

// The pattern of paths in it, PID.IMAGE.mete, as the setting `recording` takes it. It fits.
void live_folder_pattern(const struct live_folder *self, char *pattern, unsigned size);
