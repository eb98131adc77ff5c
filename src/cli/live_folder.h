// Live folder: a private folder in which the processes of one run keep their recordings while they
// run: in memory (tmpfs) where there is room, since there a page is dirtied again and again at no
// cost; else beside the place where they end. Who made it holds a lock on it, so that a later mete
// knows those whose maker was killed; a link in it says where its recordings are to go. Belongs to
// the command line.
#pragma once

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct live_folder {
    char path[PATH_MAX]; // absolute
    bool is_in_memory;
    int fd;
};

// Makes one, 0700. `beside` is the folder where recordings end. 0, or -errno of the last attempt.
int live_folder_create(struct live_folder *self, const char *beside);

// The same in a folder that is named. 0 or -errno.
int live_folder_create_in(struct live_folder *self, const char *folder);

// Takes over the one at `path` that nobody looks after any more. 0; -EWOULDBLOCK when somebody
// does; another -errno, -ENOENT for what is none of ours.
int live_folder_adopt(struct live_folder *self, const char *path);

// Whether a name in a folder may be that of one.
bool live_folder_is_name(const char *name);

// Notes where recordings are to go, as -o takes it, for a mete that has to take over. What cannot
// be noted is not: then they stay where they are.
void live_folder_set_target(const struct live_folder *self, const char *pattern);
// False when that is not known.
bool live_folder_target(const struct live_folder *self, char *pattern, size_t size);

// Notes that what stays in it has been told, and need not be told again.
void live_folder_set_told(const struct live_folder *self);
bool live_folder_is_told(const struct live_folder *self);

// Notes that nobody wants what processes that go on may yet leave in it.
void live_folder_set_unwanted(const struct live_folder *self);
bool live_folder_is_unwanted(const struct live_folder *self);

// A number that tells its run from others: its name is one of a kind, unless it was set as another
// folder's of the same run.
void live_folder_set_run(const struct live_folder *self, uint64_t run);
uint64_t live_folder_run(const struct live_folder *self);

// Its names, to be closed by closedir(); NULL with errno when they cannot be read.
DIR *live_folder_list(const struct live_folder *self);

// Whether a recording finds room in it now.
bool live_folder_has_room(const struct live_folder *self);

// Leaves it as it is, to whoever takes it over.
void live_folder_close(struct live_folder *self);

// Removes it if there are no recordings in it; whether it is gone. It is closed either way.
bool live_folder_destroy(struct live_folder *self);

// The pattern of paths in it, PID.IMAGE.mete, as the setting `recording` takes it. It fits.
void live_folder_pattern(const struct live_folder *self, char *pattern, unsigned size);
