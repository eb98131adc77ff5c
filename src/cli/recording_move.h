// Recording move: takes a finished recording to its name. Nothing but a recording is ever replaced,
// no link is followed at the name, and what stands there is whole or not there at all.
// Belongs to the command line.
#pragma once

#include "cli/embedded.h"

#include <stdbool.h>

// Moves `path` to `target`, over file systems if need be (then through a copy that is on the disk
// before the original goes; holes stay holes). `may_replace`: whether another recording there gives
// way. 0; -EEXIST when what stands there stays; another -errno when it cannot be written; then the
// recording is where it was.
int recording_move(const char *path, const char *target, bool may_replace);

// The same, and what was made of it is written to `target` in its place.
int recording_move_made(const struct embedded *made, const char *path, const char *target,
                        bool may_replace);

// Whether one could be moved to a name, as far as what stands there goes: 0 when nothing does, 1
// when another recording does, -EEXIST for anything else; another -errno when nobody knows.
int recording_move_look(const char *target);
