// Recording move: takes a finished recording to its name. Nothing but a recording is ever replaced,
// no link is followed at the name, and what stands there is whole or not there at all.
// Belongs to the command line.
#pragma once

#include <stdbool.h>

// Moves `path` to `target`, over file systems if need be (then through a copy that is on the disk
// before the original goes; holes stay holes). `may_replace`: whether another recording there gives
// way. 0; -EEXIST when what stands there stays; another -errno when it cannot be written; then the
// recording is where it was.
int recording_move(const char *path, const char *target, bool may_replace);
